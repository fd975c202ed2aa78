namespace Canal.Interop.Cuda;

/// <summary>A recorded series of launches and copies, ready to run as one. Addresses and arguments are those of the recording.</summary>
public sealed class CudaGraph : CudaHandle
{
    internal CudaGraph(CudaContext context, nint executable) : base(context, executable) { }

    private protected override unsafe CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuGraphExecDestroy(owned);
}
