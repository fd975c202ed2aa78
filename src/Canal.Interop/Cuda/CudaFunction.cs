namespace Canal.Interop.Cuda;

/// <summary>A kernel of a module; it lives as long as the module.</summary>
public sealed unsafe class CudaFunction
{
    // CUfunction_attribute
    private const int MaximumThreads = 0, SharedSizeBytes = 1, LocalSizeBytes = 3, RegisterCount = 4, MaximumDynamicSharedSizeBytes = 8;
    private readonly CudaModule module;
    private readonly nint function;

    internal CudaFunction(CudaModule module, nint function, string name)
    {
        this.module = module;
        this.function = function;
        Name = name;
    }

    /// <summary>The kernel's name.</summary>
    public string Name { get; }

    /// <summary>Most threads of a block that its registers allow on this device.</summary>
    public int MaximumThreadsPerBlock => Attribute(MaximumThreads);

    /// <summary>Bytes of static shared memory of a block.</summary>
    public int StaticSharedBytes => Attribute(SharedSizeBytes);

    /// <summary>Bytes of local memory of a thread: spilled registers and arrays. 0 is what kernels are written for.</summary>
    public int LocalBytes => Attribute(LocalSizeBytes);

    /// <summary>Registers of a thread.</summary>
    public int Registers => Attribute(RegisterCount);

    internal nint Value => module.IsClosed ? throw new ObjectDisposedException(nameof(CudaModule)) : function;

    /// <summary>Allows launches with up to so many bytes of dynamic shared memory; needed above 48 KiB.</summary>
    /// <param name="bytes">At most the device's shared memory of a block less the kernel's static one.</param>
    public void AllowSharedBytes(int bytes)
    {
        var status = module.Context.Enter().cuFuncSetAttribute(Value, MaximumDynamicSharedSizeBytes, bytes);
        if (status != CudaStatus.Success) throw module.Context.Driver.Error(status, "cuFuncSetAttribute", $"{Name}, {bytes:N0} bytes of dynamic shared memory; a block has {module.Context.Device.SharedBytesPerBlock:N0}");
    }

    private int Attribute(int which)
    {
        int value;
        module.Context.Driver.Check(module.Context.Enter().cuFuncGetAttribute(&value, which, Value), "cuFuncGetAttribute");
        return value;
    }
}
