using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>Copies into panels [k, width], straight and transposed; columns that do not exist become zero.</summary>
internal static unsafe class Transposition
{
    /// <summary>panel[k, j] = source[k, j] for j below <paramref name="width"/>, 0 up to <paramref name="panelWidth"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyRows(float* panel, float* source, nint stride, int depth, int width, int panelWidth)
    {
        unchecked
        {
            if (width == 16 && panelWidth == 16)
            {
                for (var k = 0; k < depth; k++, panel += 16, source += stride) Vector512.Load(source).Store(panel);
                return;
            }
            for (var k = 0; k < depth; k++, panel += panelWidth, source += stride)
            {
                var j = 0;
                for (; j <= width - 16; j += 16) Vector512.Load(source + j).Store(panel + j);
                for (; j <= width - 4; j += 4) Vector128.Load(source + j).Store(panel + j);
                for (; j < width; j++) panel[j] = source[j];
                for (; j < panelWidth; j++) panel[j] = 0;
            }
        }
    }

    /// <summary>Cuts the columns of source [depth, columns] into tiles of <paramref name="tileColumns"/>: tile t is [depth, tileColumns] and holds columns from t · tileColumns on, the last one only as many as there are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToTiles(float* tiles, float* source, nint stride, int depth, int columns, int tileColumns)
    {
        unchecked
        {
            var tileStride = (nint)depth * tileColumns;
            var whole = columns / tileColumns * tileColumns;
            for (var k = 0; k < depth; k++, source += stride)
            {
                var to = tiles + (k * tileColumns);
                if (tileColumns == 8)
                {
                    for (var j = 0; j < whole; j += 8, to += tileStride) Vector256.Load(source + j).Store(to);
                }
                else
                {
                    for (var j = 0; j < whole; j += tileColumns, to += tileStride)
                    {
                        for (var i = 0; i < tileColumns; i++) to[i] = source[j + i];
                    }
                }
                for (var j = whole; j < columns; j++) to[j - whole] = source[j];
            }
        }
    }

    /// <summary>panel[k, j] = source[j, k] for j below <paramref name="width"/>, 0 up to <paramref name="panelWidth"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToPanel(float* panel, float* source, nint stride, int depth, int width, int panelWidth)
    {
        unchecked
        {
            var j = 0;
            for (; j <= width - 4; j += 4)
            {
                float* s0 = source + (j * stride), s1 = s0 + stride, s2 = s1 + stride, s3 = s2 + stride, to = panel + j;
                var k = 0;
                for (; k <= depth - 4; k += 4)
                {
                    Vector128<float> a = Vector128.Load(s0 + k), b = Vector128.Load(s1 + k), c = Vector128.Load(s2 + k), d = Vector128.Load(s3 + k);
                    Vector128<float> ab0 = ZipLow(a, b), cd0 = ZipLow(c, d), ab1 = ZipHigh(a, b), cd1 = ZipHigh(c, d);
                    LowHalves(ab0, cd0).Store(to);
                    HighHalves(ab0, cd0).Store(to + panelWidth);
                    LowHalves(ab1, cd1).Store(to + (2 * panelWidth));
                    HighHalves(ab1, cd1).Store(to + (3 * panelWidth));
                    to += 4 * panelWidth;
                }
                for (; k < depth; k++, to += panelWidth)
                {
                    to[0] = s0[k];
                    to[1] = s1[k];
                    to[2] = s2[k];
                    to[3] = s3[k];
                }
            }
            for (; j < panelWidth; j++)
            {
                var from = source + (j * stride);
                for (var k = 0; k < depth; k++) panel[(k * panelWidth) + j] = j < width ? from[k] : 0;
            }
        }
    }

    // a0 b0 a1 b1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    // a2 b2 a3 b3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

    // a0 a1 b0 b1. Not Vector128.Create of two halves: the JIT makes calls of it, five times slower.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> LowHalves(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveLowToHigh(a, b) : Vector128.Create(a[0], a[1], b[0], b[1]);

    // a2 a3 b2 b3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> HighHalves(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveHighToLow(b, a) : Vector128.Create(a[2], a[3], b[2], b[3]);
}
