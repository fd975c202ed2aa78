using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Canal.Engine.Devices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>How an operation touches a tensor.</summary>
public enum Access : byte
{
    /// <summary>Reads it; must not change it.</summary>
    Read,

    /// <summary>Overwrites every element; what was there does not matter.</summary>
    Write,

    /// <summary>Adds to what is there.</summary>
    Accumulate,

    /// <summary>Reads and overwrites in place (optimiser state, in-place activations).</summary>
    Update,
}

/// <summary>
/// A typed bundle of arguments that a <see cref="Devices.Device"/> runs. Declares what it reads, writes, accumulates and
/// costs; validation, canaries, planning and the conformance tests are written once on top of that.
/// </summary>
public interface IOperation
{
    /// <summary>The operation's one name: kernel, argument struct, implementation and test files carry it.</summary>
    static abstract string Name { get; }

    /// <summary>Declares every tensor with its access and expected shape, and the work.</summary>
    void Describe(ref OperationDescription d);
}

/// <summary>One declared use of a tensor.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Access">How it is touched.</param>
/// <param name="Expected">The shape the operation needs.</param>
/// <param name="Type">The element type the operation needs.</param>
/// <param name="Argument">The argument's name, for messages.</param>
public readonly record struct TensorUse(Tensor Tensor, Access Access, Shape Expected, DType Type, string Argument);

[InlineArray(Capacity)]
internal struct TensorUses
{
    public const int Capacity = 40;
    private TensorUse first;
}

/// <summary>Collects what an operation declares. Lives on the stack; allocates nothing.</summary>
public ref struct OperationDescription
{
    private TensorUses uses;

    /// <summary>A description for the CPU, the default.</summary>
    public OperationDescription() { }

    /// <summary>A description for a kind of device, whose scratch alone counts.</summary>
    public OperationDescription(DeviceKind kind) => Kind = kind;

    /// <summary>The kind of device that the operation is described to.</summary>
    public DeviceKind Kind { get; }

    /// <summary>Number of declared uses.</summary>
    public int Count { get; private set; }

    /// <summary>Floating-point operations, an FMA counted as two.</summary>
    public long Flops { get; private set; }

    /// <summary>Bytes that must move at least once.</summary>
    public long Bytes { get; private set; }

    /// <summary>Bytes of scratch that the operation needs from the device's pool while it runs.</summary>
    public nuint ScratchBytes { get; private set; }

    /// <summary>Bytes of scratch that each of a CPU's worker threads needs while it runs; kept by the worker for later operations.</summary>
    public nuint WorkerScratchBytes { get; private set; }

    /// <summary>The declared uses, in the order of declaration.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<TensorUse> Uses => ((ReadOnlySpan<TensorUse>)uses)[..Count];

    /// <summary>Declares a float32 tensor.</summary>
    public void Use(Tensor tensor, Access access, Shape expected, [CallerArgumentExpression(nameof(tensor))] string argument = "") =>
        Use(tensor, access, expected, DType.Float32, argument);

    /// <summary>Declares a tensor of a given element type.</summary>
    public void Use(Tensor tensor, Access access, Shape expected, DType type, [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (Count == TensorUses.Capacity) throw new InvalidOperationException("An operation declares too many tensors.");
        uses[Count++] = new TensorUse(tensor, access, expected, type, argument);
        if (!tensor.IsNone) Bytes += (long)tensor.Bytes * (access is Access.Accumulate or Access.Update ? 2 : 1);
    }

    /// <summary>Declares a float32 tensor that may be <see cref="Tensor.None"/>.</summary>
    public void UseOptional(Tensor tensor, Access access, Shape expected, [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (!tensor.IsNone) Use(tensor, access, expected, DType.Float32, argument);
    }

    /// <summary>Declares activations or their gradients: float32 everywhere, or half precision on a device that computes with it.</summary>
    public void UseActivation(Tensor tensor, Access access, Shape expected, [CallerArgumentExpression(nameof(tensor))] string argument = "") =>
        Use(tensor, access, expected, ActivationType(tensor), argument);

    /// <summary>Declares activations of the same element type as others.</summary>
    public void UseActivation(Tensor tensor, Access access, Shape expected, Tensor like, [CallerArgumentExpression(nameof(tensor))] string argument = "") =>
        Use(tensor, access, expected, ActivationType(like), argument);

    /// <summary>Declares activations that may be <see cref="Tensor.None"/>.</summary>
    public void UseOptionalActivation(Tensor tensor, Access access, Shape expected, [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (!tensor.IsNone) UseActivation(tensor, access, expected, argument);
    }

    /// <summary>Declares work in floating-point operations (an FMA is two). Bytes follow from the uses; <paramref name="extraBytes"/> adds to them.</summary>
    public void Work(long flops, long extraBytes = 0)
    {
        Flops += flops;
        Bytes += extraBytes;
    }

    /// <summary>Declares scratch memory on the CPU, in bytes.</summary>
    public void Scratch(nuint bytes) => ScratchBytes += Kind == DeviceKind.Cpu ? bytes : 0;

    /// <summary>Declares scratch memory on a CUDA device, in bytes.</summary>
    public void CudaScratch(nuint bytes) => ScratchBytes += Kind == DeviceKind.Cuda ? bytes : 0;

    /// <summary>Declares scratch memory of each worker thread of the CPU, in bytes.</summary>
    public void WorkerScratch(nuint bytes) => WorkerScratchBytes = Kind == DeviceKind.Cpu ? nuint.Max(WorkerScratchBytes, bytes) : 0;

    private readonly DType ActivationType(Tensor tensor) =>
        Kind == DeviceKind.Cuda && tensor.Type is DType.Float16 or DType.BFloat16 ? tensor.Type : DType.Float32;

    /// <summary>Checks that every declared tensor is present and has the declared type and shape.</summary>
    /// <exception cref="ArgumentException">Says operation, argument, shape found and shape expected.</exception>
    public readonly void Validate(string operation)
    {
        foreach (ref readonly var use in Uses)
        {
            if (use.Tensor.IsNone)
            {
                throw new ArgumentException($"{operation}: {use.Argument} is missing; a {use.Type} tensor of shape {use.Expected} is needed.");
            }
            if (use.Tensor.Type != use.Type)
            {
                throw new ArgumentException($"{operation}: {use.Argument} is {use.Tensor.Type}, not {use.Type}.");
            }
            if (use.Tensor.Shape != use.Expected)
            {
                throw new ArgumentException($"{operation}: {use.Argument} has shape {use.Tensor.Shape}, not {use.Expected} as the other arguments demand.");
            }
            if (!use.Tensor.Storage.IsRented)
            {
                throw new ArgumentException($"{operation}: the memory of {use.Argument} was already returned to its pool.");
            }
        }
    }
}
