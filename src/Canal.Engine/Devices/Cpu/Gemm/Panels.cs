namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>
/// The right operand B [K, N] of a product as the micro-kernels read it: panels of 16 columns. Either packed once
/// (<see cref="Pack"/>; the layout is the same for every vector width) or a view of rows that lie as they are
/// (<see cref="OfRows"/>). Owns nothing.
/// </summary>
public readonly unsafe struct Panels
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    private Panels(float* first, int depth, int columns, int step, nint stride)
    {
        First = first;
        Depth = depth;
        Columns = columns;
        Step = step;
        Stride = stride;
    }

    /// <summary>First element of the first panel.</summary>
    public float* First { get; }

    /// <summary>K.</summary>
    public int Depth { get; }

    /// <summary>N.</summary>
    public int Columns { get; }

    /// <summary>Floats from one k to the next within a panel.</summary>
    public int Step { get; }

    /// <summary>Floats from one panel to the next.</summary>
    public nint Stride { get; }

    /// <summary>Number of panels, the last one perhaps partly beyond N.</summary>
    public int Count => CountFor(Columns);

    /// <summary>Number of panels of <paramref name="columns"/> columns.</summary>
    public static int CountFor(int columns) => unchecked((columns + Width - 1) / Width);

    /// <summary>Bytes that <see cref="Pack"/> needs for B [<paramref name="depth"/>, <paramref name="columns"/>]; a multiple of 64.</summary>
    public static nuint Bytes(int depth, int columns) => (nuint)CountFor(columns) * Width * (nuint)depth * sizeof(float);

    /// <summary>The packed matrix at <paramref name="packed"/>, once <see cref="PackPanels"/> has filled it.</summary>
    public static Panels At(float* packed, int depth, int columns) => new(packed, depth, columns, Width, unchecked((nint)depth * Width));

    /// <summary>Packs B into <paramref name="target"/> (64-byte aligned, <see cref="Bytes"/> long).</summary>
    /// <param name="target">Where the panels go.</param>
    /// <param name="source">B [K, N], or [N, K] when <paramref name="transposed"/> (a PyTorch linear weight).</param>
    /// <param name="depth">K.</param>
    /// <param name="columns">N.</param>
    /// <param name="stride">Floats from one stored row of the source to the next.</param>
    /// <param name="transposed">Whether B is stored transposed.</param>
    public static Panels Pack(float* target, float* source, int depth, int columns, int stride, bool transposed)
    {
        PackPanels(target, source, depth, columns, stride, transposed, 0, CountFor(columns));
        return At(target, depth, columns);
    }

    /// <summary>Packs panels <paramref name="first"/> to before <paramref name="last"/> only, for work shared between threads.</summary>
    public static void PackPanels(float* target, float* source, int depth, int columns, int stride, bool transposed, int first, int last)
    {
        unchecked
        {
            for (var panel = first; panel < last; panel++)
            {
                var column = panel * Width;
                var width = Math.Min(Width, columns - column);
                var to = target + ((nint)panel * depth * Width);
                if (transposed) Transposition.ToPanel(to, source + ((nint)column * stride), stride, depth, width, Width);
                else Transposition.CopyRows(to, source + column, stride, depth, width, Width);
            }
        }
    }

    /// <summary>B as it lies, row by row; N must be a multiple of 16. For operands used once or twice, such as a tile of values.</summary>
    public static Panels OfRows(float* rows, int depth, int columns, int stride) => columns % Width == 0
        ? new Panels(rows, depth, columns, stride, Width)
        : throw new ArgumentException($"Rows of {columns} columns must be packed: only multiples of {Width} can be read as they lie.");

    /// <summary>The part with k from <paramref name="from"/> on, <paramref name="depth"/> long.</summary>
    public Panels Deep(int from, int depth) => unchecked(new(First + ((nint)from * Step), depth, Columns, Step, Stride));
}
