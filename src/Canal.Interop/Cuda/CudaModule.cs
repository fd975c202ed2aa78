using System.Text;

namespace Canal.Interop.Cuda;

/// <summary>Loaded kernels.</summary>
public sealed unsafe class CudaModule : CudaHandle
{
    private const int LogBytes = 16384;
    private const int ErrorLogBuffer = 5, ErrorLogBufferSizeBytes = 6; // CU_JIT_*
    private readonly string name;

    private CudaModule(CudaContext context, nint created, string name) : base(context, created) => this.name = name;

    /// <summary>Finds a kernel.</summary>
    /// <param name="kernel">Its unmangled name.</param>
    /// <exception cref="CudaException">There is none of that name.</exception>
    public CudaFunction Function(string kernel)
    {
        nint function;
        CudaStatus status;
        fixed (byte* text = Encoding.UTF8.GetBytes(kernel + '\0')) status = Context.Enter().cuModuleGetFunction(&function, Value, text);
        return status == CudaStatus.Success ? new CudaFunction(this, function, kernel) : throw Context.Driver.Error(status, "cuModuleGetFunction", $"{kernel} in {name}");
    }

    internal static CudaModule Load(CudaContext context, ReadOnlySpan<byte> image, string name)
    {
        // PTX is text that ends at its first zero byte; one more does not harm a CUBIN.
        var terminated = new byte[image.Length + 1];
        image.CopyTo(terminated);
        var log = new byte[LogBytes];
        nint module;
        CudaStatus status;
        fixed (byte* text = terminated, said = log)
        {
            // An option's value is passed in place of a pointer to it.
            var options = stackalloc int[] { ErrorLogBuffer, ErrorLogBufferSizeBytes };
            var values = stackalloc nint[] { (nint)said, LogBytes };
            status = context.Enter().cuModuleLoadDataEx(&module, text, 2, options, values);
        }
        if (status == CudaStatus.Success) return new CudaModule(context, module, name);
        var end = Array.IndexOf(log, (byte)0);
        var words = Encoding.UTF8.GetString(log, 0, end < 0 ? LogBytes : end).Trim();
        throw context.Driver.Error(status, "cuModuleLoadDataEx", words.Length == 0 ? name : $"{name}: {words.Split('\n')[0].Trim()}", words);
    }

    private protected override CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuModuleUnload(owned);
}
