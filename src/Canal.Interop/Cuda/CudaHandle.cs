using System.Runtime.InteropServices;

namespace Canal.Interop.Cuda;

/// <summary>Anything that lives in a CUDA context: it keeps the context open until it is disposed itself, so the order of disposal does not matter.</summary>
/// <remarks>Used by one thread at a time. What is left to the finaliser is released and counted (<see cref="CudaDriver.LeakedHandles"/>).</remarks>
public abstract class CudaHandle : SafeHandle
{
    private protected CudaHandle(CudaContext context, nint created) : base(invalidHandleValue: 0, ownsHandle: true)
    {
        Context = context;
        var added = false;
        context.DangerousAddRef(ref added);
        SetHandle(created);
    }

    /// <summary>The context it lives in.</summary>
    public CudaContext Context { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The handle itself, for a call.</summary>
    internal nint Value => IsClosed ? throw new ObjectDisposedException(GetType().Name) : handle;

    private protected abstract unsafe CudaStatus Destroy(DriverFunctions functions, nint owned);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        var status = Context.TryEnter();
        if (status == CudaStatus.Success) status = Destroy(Context.Driver.Functions, handle);
        Context.DangerousRelease();
        return status == CudaStatus.Success;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing && !IsClosed) Context.Driver.CountLeak();
        base.Dispose(disposing);
    }
}
