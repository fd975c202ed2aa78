using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Canal.Engine.Devices.Cpu.Simd;

namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>
/// Matrix product on one thread: what the operation MatMul runs on every worker, and what fused kernels call on a tile they hold
/// in cache. The bits of an element of C are a function of K alone, never of tiles, threads, vector width, or the other rows:
/// up to K = <see cref="LongestChain"/> one chain of fused multiply-adds over ascending k, starting from 0 and, accumulating, added to
/// C at its end; beyond, such chains over <see cref="ChunkDepth"/> k each, added to C one after the other.
/// </summary>
public static unsafe class TileProduct
{
    /// <summary>Largest K of a single chain.</summary>
    public const int LongestChain = 2048;

    /// <summary>Length of the chains that a longer K is cut into: keeps sums over many tokens accurate and their operands in cache.</summary>
    public const int ChunkDepth = 512;

    /// <summary>C [rows, N] = A B, or C += A B.</summary>
    /// <param name="c">C; not overlapping A or B.</param>
    /// <param name="cStride">Floats from one row of C to the next.</param>
    /// <param name="a">A [rows, K].</param>
    /// <param name="aRowStride">Floats from one row of A to the next: 1 when A is stored transposed.</param>
    /// <param name="aDepthStride">Floats from one k to the next in A: 1 when A is stored by rows.</param>
    /// <param name="b">B [K, N].</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="accumulate">Whether the product is added to C.</param>
    /// <typeparam name="TV">The register.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TV>(float* c, nint cStride, float* a, nint aRowStride, nint aDepthStride, Panels b, int rows, bool accumulate)
        where TV : struct, IVector<TV>
    {
        if (TV.Count == 16) MultiplyPanels<MicroKernel512>(c, cStride, a, aRowStride, aDepthStride, b, 0, b.Count, rows, accumulate);
        else if (TV.Count == 8) MultiplyPanels<MicroKernel256>(c, cStride, a, aRowStride, aDepthStride, b, 0, b.Count, rows, accumulate);
        else MultiplyPanels<MicroKernel128>(c, cStride, a, aRowStride, aDepthStride, b, 0, b.Count, rows, accumulate);
    }

    /// <summary>The same for the columns of panels <paramref name="first"/> to before <paramref name="last"/> only; <paramref name="c"/> is still C's column 0.</summary>
    internal static void MultiplyPanels<TKernel>(
        float* c, nint cStride, float* a, nint aRowStride, nint aDepthStride, Panels b, int first, int last, int rows, bool accumulate)
        where TKernel : struct, IMicroKernel
    {
        unchecked
        {
            if (b.Depth <= LongestChain)
            {
                Chain<TKernel>(c, cStride, a, aRowStride, aDepthStride, b, first, last, rows, accumulate);
                return;
            }
            for (var k = 0; k < b.Depth; k += ChunkDepth)
            {
                var chunk = b.Deep(k, Math.Min(ChunkDepth, b.Depth - k));
                Chain<TKernel>(c, cStride, a + (k * aDepthStride), aRowStride, aDepthStride, chunk, first, last, rows, accumulate || k > 0);
            }
        }
    }

    /// <summary>One chain over the whole depth of <paramref name="b"/> for every element of the panels named.</summary>
    internal static void Chain<TKernel>(
        float* c, nint cStride, float* a, nint aRowStride, nint aDepthStride, Panels b, int first, int last, int rows, bool accumulate)
        where TKernel : struct, IMicroKernel
    {
        unchecked
        {
            var t = default(TileArguments);
            t.RowStride = aRowStride * sizeof(float);
            t.DepthStride = aDepthStride * sizeof(float);
            t.PanelStep = b.Step * sizeof(float);
            t.PanelStride = b.Stride * sizeof(float);
            t.Depth = b.Depth;
            t.AddToTarget = accumulate;
            if (b.Depth == 0)
            {
                if (!accumulate) Clear(c, cStride, b.Columns, first, last, rows);
            }
            else
            {
                for (int panel = first, panels; panel < last; panel += panels)
                {
                    panels = PanelsOfTile<TKernel>(last - panel);
                    var columns = Math.Min(panels * Panels.Width, b.Columns - (panel * Panels.Width));
                    var whole = columns == panels * Panels.Width;
                    t.B = b.First + (panel * b.Stride);
                    for (var row = 0; row < rows; row += TKernel.Rows)
                    {
                        t.Rows = Math.Min(TKernel.Rows, rows - row);
                        t.A = a + (row * aRowStride);
                        t.C = c + (row * cStride) + (panel * Panels.Width);
                        t.CStride = cStride;
                        if (whole) TKernel.Run(in t, panels);
                        else Aside<TKernel>(t, panels, columns);
                    }
                }
            }
        }
    }

    /// <summary>Columns a tile takes when <paramref name="remaining"/> panels are left: threes, but two and two rather than three and one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int PanelsOfTile<TKernel>(int remaining) where TKernel : struct, IMicroKernel
    {
        if (TKernel.Panels == 1) return 1;
        return remaining == 3 || remaining > 4 ? 3 : Math.Min(2, remaining);
    }

    /// <summary>A tile that reaches over C's edge: computed aside.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Aside<TKernel>(TileArguments t, int panels, int columns) where TKernel : struct, IMicroKernel
    {
        unchecked
        {
            const int stride = 3 * Panels.Width;
            var tile = stackalloc float[8 * stride];
            var c = t.C;
            var cStride = t.CStride;
            var add = t.AddToTarget;
            t.C = tile;
            t.CStride = stride;
            t.AddToTarget = false;
            TKernel.Run(in t, panels);
            for (var r = 0; r < t.Rows; r++, c += cStride)
            {
                var from = tile + (r * stride);
                if (!add)
                {
                    new ReadOnlySpan<float>(from, columns).CopyTo(new Span<float>(c, columns));
                    continue;
                }
                var j = 0;
                for (; j <= columns - Panels.Width; j += Panels.Width) (Vector512.Load(from + j) + Vector512.Load(c + j)).Store(c + j);
                for (; j < columns; j++) c[j] = from[j] + c[j];
            }
        }
    }

    private static void Clear(float* c, nint cStride, int allColumns, int first, int last, int rows)
    {
        var column = first * Panels.Width;
        var columns = Math.Min(allColumns, last * Panels.Width) - column;
        for (var r = 0; r < rows; r++) new Span<float>(c + (r * cStride) + column, columns).Clear();
    }
}
