using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>A kernel's arguments in the order of its declaration, each with its kind. Lives on the stack; allocates nothing.</summary>
public ref struct KernelArguments
{
    /// <summary>Most arguments of a kernel.</summary>
    public const int Capacity = 32;

    private ValueArray values;
    private KindArray kinds;

    /// <summary>Number of arguments so far.</summary>
    public int Count { get; private set; }

    /// <summary>The arguments' bits, 8 bytes each, little-endian.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<ulong> Values => ((ReadOnlySpan<ulong>)values)[..Count];

    /// <summary>The arguments' kinds.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<ArgumentKind> Kinds => ((ReadOnlySpan<ArgumentKind>)kinds)[..Count];

    /// <summary>Adds the address of a tensor's first element; null for <see cref="Tensor.None"/>.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(Tensor tensor) => ref Add(tensor.IsNone ? 0 : tensor.Address);

    /// <summary>Adds an address.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(nint address) => ref Add(unchecked((ulong)address), ArgumentKind.Pointer);

    /// <summary>Adds a 32-bit integer.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(int value) => ref Add(unchecked((uint)value), ArgumentKind.Int32);

    /// <summary>Adds a 32-bit integer, 0 or 1.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(bool value) => ref Add(value ? 1 : 0);

    /// <summary>Adds a 64-bit integer.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(long value) => ref Add(unchecked((ulong)value), ArgumentKind.Int64);

    /// <summary>Adds a float32.</summary>
    [UnscopedRef]
    public ref KernelArguments Add(float value) => ref Add(BitConverter.SingleToUInt32Bits(value), ArgumentKind.Float32);

    [UnscopedRef]
    private ref KernelArguments Add(ulong bits, ArgumentKind kind)
    {
        if (Count == Capacity) throw new InvalidOperationException($"A kernel has at most {Capacity} arguments.");
        values[Count] = bits;
        kinds[Count++] = kind;
        return ref this;
    }

    [InlineArray(Capacity)]
    private struct ValueArray
    {
        private ulong first;
    }

    [InlineArray(Capacity)]
    private struct KindArray
    {
        private ArgumentKind first;
    }
}
