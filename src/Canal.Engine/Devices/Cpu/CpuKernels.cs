using System.Diagnostics.CodeAnalysis;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>The implementation of one operation on the CPU: pointers come from the tensors, threads from <see cref="CpuDevice.Workers"/>.</summary>
/// <param name="operation">The validated arguments.</param>
/// <param name="device">The device: workers, scratch.</param>
internal delegate void CpuKernel<TOp>(in TOp operation, CpuDevice device) where TOp : struct, IOperation;

/// <summary>Which kernel runs which operation: one line an operation, grouped by file.</summary>
internal sealed class CpuKernels
{
    private readonly Dictionary<Type, Delegate> byOperation = [];

    private CpuKernels() { }

    /// <summary>The kernels for vectors of the given width.</summary>
    public static CpuKernels For(int vectorBits)
    {
        _ = vectorBits;
        var kernels = new CpuKernels();

        // Elementwise.cs
        kernels.Register<Fill>(ElementwiseKernels.Fill);
        kernels.Register<Add>(ElementwiseKernels.Add);

        // FavorForward.cs
        if (vectorBits == 512) RegisterFavor<V512>(kernels);
        else if (vectorBits == 256) RegisterFavor<V256>(kernels);
        else RegisterFavor<V128>(kernels);

        return kernels;
    }

    private static void RegisterFavor<TV>(CpuKernels kernels) where TV : struct, IVector<TV>
    {
        kernels.Register<FavorForward>(FavorForwardKernel<TV>.Run);
    }

    /// <summary>Whether an operation, given by the type of its arguments, has a kernel.</summary>
    public bool Contains(Type operation) => byOperation.ContainsKey(operation);

    /// <summary>The kernel of an operation.</summary>
    public bool TryGet<TOp>([NotNullWhen(true)] out CpuKernel<TOp>? kernel) where TOp : struct, IOperation
    {
        kernel = byOperation.TryGetValue(typeof(TOp), out var found) ? (CpuKernel<TOp>)found : null;
        return kernel is not null;
    }

    private void Register<TOp>(CpuKernel<TOp> kernel) where TOp : struct, IOperation => byOperation.Add(typeof(TOp), kernel);
}
