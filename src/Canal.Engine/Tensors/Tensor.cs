using System.Runtime.CompilerServices;

namespace Canal.Engine.Tensors;

/// <summary>A contiguous row-major view into a <see cref="Tensors.Storage"/>: parameters, cache rows and packed batches are slices. Owns nothing.</summary>
/// <param name="Storage">The block that holds the elements; null for <see cref="None"/>.</param>
/// <param name="Offset">First element's distance from the start of the block, in bytes.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, row-major.</param>
public readonly record struct Tensor(Storage Storage, nuint Offset, DType Type, Shape Shape)
{
    /// <summary>The absent tensor: an operation's optional argument that is not given.</summary>
    public static Tensor None => default;

    /// <summary>Whether this is <see cref="None"/>.</summary>
    public bool IsNone => Storage is null;

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>Size in bytes.</summary>
    public nuint Bytes => (nuint)Shape.Count * (nuint)Type.Bytes();

    /// <summary>Address of the first element in the device's address space.</summary>
    public nint Address => Storage.Pointer + (nint)Offset;

    /// <summary>The same elements under another shape of the same count.</summary>
    public Tensor Reshape(Shape shape) => shape.Count == Shape.Count
        ? this with { Shape = shape }
        : throw new ArgumentException($"A tensor of shape {Shape} has {Shape.Count} elements, not {shape.Count} as {shape} would.");

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> along the first dimension.</summary>
    public Tensor Slice(int first, int count)
    {
        if (Shape.Rank == 0 || first < 0 || count < 0 || first + count > Shape[0])
        {
            throw new ArgumentOutOfRangeException(nameof(first), $"Rows {first}..{first + count} of a tensor of shape {Shape}.");
        }
        var row = Shape[0] == 0 ? 0 : Shape.Count / Shape[0];
        var shape = Shape.Rank switch
        {
            1 => new Shape(count),
            2 => new Shape(count, Shape[1]),
            3 => new Shape(count, Shape[1], Shape[2]),
            _ => new Shape(count, Shape[1], Shape[2], Shape[3]),
        };
        return this with { Offset = Offset + (nuint)(first * row) * (nuint)Type.Bytes(), Shape = shape };
    }

    /// <summary>The elements of a tensor in host memory. Only for devices whose memory the host can address.</summary>
    public unsafe Span<T> Span<T>() where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() != Type.Bytes())
        {
            throw new InvalidOperationException($"A {Type} tensor has elements of {Type.Bytes()} bytes, not {Unsafe.SizeOf<T>()}.");
        }
        return new Span<T>((void*)Address, checked((int)Count));
    }
}
