using System.Runtime.InteropServices;

namespace Canal.Interop.Cuda;

/// <summary>A device's primary context, the one that cuBLAS uses too. Streams, modules, events and memory are made here.</summary>
/// <remarks>Each call makes the context current on its thread first, which costs a comparison where it already is.</remarks>
public sealed unsafe class CudaContext : SafeHandle
{
    // A mirror of what the driver itself keeps for each thread.
    [ThreadStatic] private static CudaContext? current;
    private readonly int device;
    private bool disposed;

    private CudaContext(CudaDriver driver, CudaDevice description, int device, nint created) : base(invalidHandleValue: 0, ownsHandle: true)
    {
        Driver = driver;
        Device = description;
        this.device = device;
        SetHandle(created);
    }

    /// <summary>The driver.</summary>
    public CudaDriver Driver { get; }

    /// <summary>The device.</summary>
    public CudaDevice Device { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    internal static CudaContext Open(CudaDriver driver, CudaDevice description)
    {
        if (description.Refusal is { } refusal) throw refusal;
        int device;
        driver.Check(driver.Functions.cuDeviceGet(&device, description.Ordinal), "cuDeviceGet");
        nint created;
        var status = driver.Functions.cuDevicePrimaryCtxRetain(&created, device);
        if (status != CudaStatus.Success) throw driver.Error(status, "cuDevicePrimaryCtxRetain", $"GPU {description.Ordinal}, {description.Name}");
        var context = new CudaContext(driver, description, device, created);
        _ = context.Enter();
        return context;
    }

    /// <summary>Bytes of device memory: free now, and all.</summary>
    public (nuint Free, nuint Total) Memory()
    {
        nuint free, total;
        Driver.Check(Opened().cuMemGetInfo(&free, &total), "cuMemGetInfo_v2");
        return (free, total);
    }

    /// <summary>Allocates device memory, aligned to 256 bytes at least; contents undefined.</summary>
    /// <param name="bytes">How much, at least 1.</param>
    /// <exception cref="CudaException">There is not so much (<see cref="CudaProblem.OutOfMemory"/>; the message has the figures).</exception>
    public CudaMemory Allocate(nuint bytes)
    {
        nint address;
        var status = Opened().cuMemAlloc(&address, bytes);
        return status == CudaStatus.Success ? new CudaMemory(this, address, bytes) : throw NoMemory(status, "cuMemAlloc_v2", bytes);
    }

    /// <summary>Allocates pinned memory of the host, from and to which copies overlap with work; contents undefined.</summary>
    /// <param name="bytes">How much, at least 1.</param>
    public CudaHostMemory AllocateHost(int bytes)
    {
        nint address;
        var status = Opened().cuMemHostAlloc(&address, (nuint)bytes, 0);
        return status == CudaStatus.Success ? new CudaHostMemory(this, address, bytes) : throw Driver.Error(status, "cuMemHostAlloc", $"{bytes:N0} bytes of pinned host memory asked for");
    }

    /// <summary>Makes a stream that does not wait for the default one.</summary>
    public CudaStream CreateStream()
    {
        const uint NonBlocking = 1; // CU_STREAM_NON_BLOCKING
        nint created;
        Driver.Check(Opened().cuStreamCreate(&created, NonBlocking), "cuStreamCreate");
        return new CudaStream(this, created);
    }

    /// <summary>Makes an event.</summary>
    /// <param name="timing">Whether it keeps the time at which it was reached; cheaper where not.</param>
    public CudaEvent CreateEvent(bool timing)
    {
        const uint DisableTiming = 2; // CU_EVENT_DISABLE_TIMING
        nint created;
        Driver.Check(Opened().cuEventCreate(&created, timing ? 0 : DisableTiming), "cuEventCreate");
        return new CudaEvent(this, created);
    }

    /// <summary>Loads compiled kernels.</summary>
    /// <param name="image">A CUBIN for this device's architecture, or PTX, which the driver then compiles.</param>
    /// <param name="name">What it is called in errors.</param>
    /// <exception cref="CudaException">The driver refuses it; <see cref="CudaException.Detail"/> has its compiler's log.</exception>
    public CudaModule LoadModule(ReadOnlySpan<byte> image, string name)
    {
        _ = Opened();
        return CudaModule.Load(this, image, name);
    }

    /// <summary>The functions, with this context current on the thread.</summary>
    internal DriverFunctions Enter()
    {
        if (!ReferenceEquals(current, this)) Driver.Check(TryEnter(), "cuCtxSetCurrent");
        return Driver.Functions;
    }

    /// <summary>Makes this context current on the thread; for the finaliser's too. Valid as long as something in it is alive, even where it was disposed.</summary>
    internal CudaStatus TryEnter()
    {
        if (ReferenceEquals(current, this)) return CudaStatus.Success;
        var status = Driver.Functions.cuCtxSetCurrent(handle);
        if (status == CudaStatus.Success) current = this;
        return status;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Driver.Functions.cuDevicePrimaryCtxRelease(device) == CudaStatus.Success;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing && !IsClosed) Driver.CountLeak();
        // IsClosed comes later, with the last of the things that live in it.
        disposed = true;
        base.Dispose(disposing);
    }

    /// <summary>As <see cref="Enter"/>, for what makes new things: not after disposal.</summary>
    internal DriverFunctions Opened()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return Enter();
    }

    private CudaException NoMemory(CudaStatus status, string call, nuint bytes)
    {
        nuint free, total;
        var told = Driver.Functions.cuMemGetInfo(&free, &total) == CudaStatus.Success ? $", {free:N0} of {total:N0} are free" : "";
        return Driver.Error(status, call, $"{bytes:N0} bytes asked for{told}");
    }
}
