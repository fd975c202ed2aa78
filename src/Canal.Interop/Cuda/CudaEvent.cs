namespace Canal.Interop.Cuda;

/// <summary>A mark in a stream: to wait for, and to measure between.</summary>
public sealed unsafe class CudaEvent : CudaHandle
{
    internal CudaEvent(CudaContext context, nint created) : base(context, created) { }

    /// <summary>Waits until the stream has reached it; at once where it was never recorded.</summary>
    public void Synchronise() => Context.Driver.Check(Context.Enter().cuEventSynchronize(Value), "cuEventSynchronize");

    /// <summary>Milliseconds of device time from an earlier event to this; both with timing, recorded and reached. Resolution about 0.5 µs.</summary>
    public float MillisecondsSince(CudaEvent earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        float milliseconds;
        Context.Driver.Check(Context.Enter().cuEventElapsedTime(&milliseconds, earlier.Value, Value), "cuEventElapsedTime");
        return milliseconds;
    }

    private protected override CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuEventDestroy(owned);
}
