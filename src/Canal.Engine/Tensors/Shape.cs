using System.Globalization;

namespace Canal.Engine.Tensors;

/// <summary>Sizes of a contiguous row-major tensor, rank 0 to 4. Immutable and free of allocations.</summary>
public readonly record struct Shape
{
    private readonly int d0, d1, d2, d3;

    /// <summary>Rank 1.</summary>
    public Shape(int size0) : this(1, size0, 1, 1, 1) { }

    /// <summary>Rank 2, row-major.</summary>
    public Shape(int size0, int size1) : this(2, size0, size1, 1, 1) { }

    /// <summary>Rank 3, row-major.</summary>
    public Shape(int size0, int size1, int size2) : this(3, size0, size1, size2, 1) { }

    /// <summary>Rank 4, row-major.</summary>
    public Shape(int size0, int size1, int size2, int size3) : this(4, size0, size1, size2, size3) { }

    private Shape(int rank, int size0, int size1, int size2, int size3)
    {
        if ((size0 | size1 | size2 | size3) < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size0), $"A shape has no negative sizes: [{size0}, {size1}, {size2}, {size3}].");
        }
        Rank = rank;
        (d0, d1, d2, d3) = (size0, size1, size2, size3);
    }

    /// <summary>A scalar: rank 0, one element.</summary>
    public static Shape Scalar => new(0, 1, 1, 1, 1);

    /// <summary>Number of dimensions, 0 to 4.</summary>
    public int Rank { get; }

    /// <summary>Size of dimension <paramref name="dimension"/>, 0-based; negative counts from the end.</summary>
    public int this[int dimension]
    {
        get
        {
            var index = dimension < 0 ? dimension + Rank : dimension;
            if ((uint)index >= (uint)Rank)
            {
                throw new ArgumentOutOfRangeException(nameof(dimension), $"Dimension {dimension} of a shape of rank {Rank}.");
            }
            return index switch { 0 => d0, 1 => d1, 2 => d2, _ => d3 };
        }
    }

    /// <summary>Number of elements. A default-constructed shape has none.</summary>
    public long Count => (long)d0 * d1 * d2 * d3;

    /// <summary>All dimensions but the last, multiplied: the rows of the tensor seen as a matrix.</summary>
    public int Rows => Rank == 0 ? 1 : checked((int)(Count / Math.Max(1, this[-1])));

    /// <summary>The last dimension: the columns of the tensor seen as a matrix.</summary>
    public int Columns => Rank == 0 ? 1 : this[-1];

    /// <inheritdoc/>
    public override string ToString() => Rank switch
    {
        0 => "[]",
        1 => string.Create(CultureInfo.InvariantCulture, $"[{d0}]"),
        2 => string.Create(CultureInfo.InvariantCulture, $"[{d0}, {d1}]"),
        3 => string.Create(CultureInfo.InvariantCulture, $"[{d0}, {d1}, {d2}]"),
        _ => string.Create(CultureInfo.InvariantCulture, $"[{d0}, {d1}, {d2}, {d3}]"),
    };
}
