namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>What one call of a micro-kernel works on. Strides named so are in bytes, except C's.</summary>
internal unsafe ref struct TileArguments
{
    /// <summary>First row's first element of A.</summary>
    public float* A;

    /// <summary>Bytes from one row of A to the next.</summary>
    public nint RowStride;

    /// <summary>Bytes from one k to the next in A.</summary>
    public nint DepthStride;

    /// <summary>First panel of B.</summary>
    public float* B;

    /// <summary>Bytes from one k to the next in a panel.</summary>
    public nint PanelStep;

    /// <summary>Bytes from one panel to the next.</summary>
    public nint PanelStride;

    /// <summary>Number of k, at least 1.</summary>
    public int Depth;

    /// <summary>First element of the tile of C; 16 columns a panel must be there to write.</summary>
    public float* C;

    /// <summary>Floats from one row of C to the next.</summary>
    public nint CStride;

    /// <summary>Rows of the tile, 1 to the kernel's.</summary>
    public int Rows;

    /// <summary>Whether the sums are added to what C holds once they are complete.</summary>
    public bool AddToTarget;
}

/// <summary>
/// The innermost product: a small tile of C in registers. Every element is one chain of fused multiply-adds from 0 with k ascending,
/// added to C at its end where asked: carried through the chain, a C much larger than the terms (a residual, a gradient over many
/// rows) would round every one of them. So the tile's shape, and the register width with it, never shows in the bits.
/// </summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of a full tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Most panels of 16 columns that a tile spans.</summary>
    static abstract int Panels { get; }

    /// <summary>C (+)= A B for one tile of <paramref name="panels"/> panels.</summary>
    static abstract void Run(in TileArguments t, int panels);
}
