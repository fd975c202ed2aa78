using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Simd;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>
/// Small matrix products in one thread, C (+)= A B, where B is row-major with its columns padded to 16 and A is read by any two strides
/// (so a transposed A needs no copy). Every element is one chain of fused multiply-adds in the order of the inner index, whatever the
/// vector width, the tile or the blocking: the same bits always.
/// </summary>
internal static unsafe class TileProduct<TV> where TV : struct, IVector<TV>
{
    // Inner rows of B a block: 64 columns of them are 16 KiB and stay in the first-level cache while all rows of A pass.
    private const int InnerBlock = 64;
    private const int RowGroup = 4;

    /// <summary>C = A B, or C += A B.</summary>
    /// <param name="c">[rows, columns], row stride <paramref name="cRow"/>.</param>
    /// <param name="cRow">Floats from one row of C to the next.</param>
    /// <param name="a">Element (i, k) lies at i · aRow + k · aInner.</param>
    /// <param name="aRow">Floats from one row of A to the next.</param>
    /// <param name="aInner">Floats from one inner index of A to the next.</param>
    /// <param name="b">[inner, columns], row stride <paramref name="bRow"/>.</param>
    /// <param name="bRow">Floats from one row of B to the next.</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="columns">Columns of B and C, a multiple of 16.</param>
    /// <param name="inner">Columns of A, rows of B.</param>
    /// <param name="accumulate">Whether the product is added to C: the chain then starts from it.</param>
    public static void Multiply(
        float* c, nint cRow, float* a, nint aRow, nint aInner, float* b, nint bRow, int rows, int columns, int inner, bool accumulate)
    {
        unchecked
        {
            if (inner == 0 && !accumulate) Panels(c, cRow, a, aRow, aInner, b, bRow, rows, columns, 0, false);
            for (var first = 0; first < inner; first += InnerBlock)
            {
                var count = Math.Min(InnerBlock, inner - first);
                Panels(c, cRow, a + (first * aInner), aRow, aInner, b + (first * bRow), bRow, rows, columns, count, accumulate || first > 0);
            }
        }
    }

    private static void Panels(
        float* c, nint cRow, float* a, nint aRow, nint aInner, float* b, nint bRow, int rows, int columns, int inner, bool accumulate)
    {
        unchecked
        {
            var wide = TV.Count == 16 ? 4 : 2;
            var column = 0;
            for (; column <= columns - (wide * TV.Count); column += wide * TV.Count)
            {
                var row = 0;
                for (; row <= rows - RowGroup; row += RowGroup)
                {
                    if (TV.Count == 16) FourByFour(c + (row * cRow) + column, cRow, a + (row * aRow), aRow, aInner, b + column, bRow, inner, accumulate);
                    else FourByTwo(c + (row * cRow) + column, cRow, a + (row * aRow), aRow, aInner, b + column, bRow, inner, accumulate);
                }
                for (; row < rows; row++)
                {
                    for (var part = column; part < column + (wide * TV.Count); part += TV.Count)
                    {
                        OneByOne(c + (row * cRow) + part, a + (row * aRow), aInner, b + part, bRow, inner, accumulate);
                    }
                }
            }
            for (; column < columns; column += TV.Count)
            {
                var row = 0;
                for (; row <= rows - (2 * RowGroup); row += 2 * RowGroup)
                {
                    EightByOne(c + (row * cRow) + column, cRow, a + (row * aRow), aRow, aInner, b + column, bRow, inner, accumulate);
                }
                for (; row < rows; row++) OneByOne(c + (row * cRow) + column, a + (row * aRow), aInner, b + column, bRow, inner, accumulate);
            }
        }
    }

    // 16 accumulators: with four of B and one of A they fill 21 of the 32 registers of 512 bits.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByFour(float* c, nint cRow, float* a, nint aRow, nint aInner, float* b, nint bRow, int inner, bool accumulate)
    {
        unchecked
        {
            TV c00 = TV.Zero, c01 = TV.Zero, c02 = TV.Zero, c03 = TV.Zero, c10 = TV.Zero, c11 = TV.Zero, c12 = TV.Zero, c13 = TV.Zero;
            TV c20 = TV.Zero, c21 = TV.Zero, c22 = TV.Zero, c23 = TV.Zero, c30 = TV.Zero, c31 = TV.Zero, c32 = TV.Zero, c33 = TV.Zero;
            float* row0 = c, row1 = c + cRow, row2 = row1 + cRow, row3 = row2 + cRow;
            int v1 = TV.Count, v2 = 2 * TV.Count, v3 = 3 * TV.Count;
            if (accumulate)
            {
                (c00, c01, c02, c03) = (TV.Load(row0), TV.Load(row0 + v1), TV.Load(row0 + v2), TV.Load(row0 + v3));
                (c10, c11, c12, c13) = (TV.Load(row1), TV.Load(row1 + v1), TV.Load(row1 + v2), TV.Load(row1 + v3));
                (c20, c21, c22, c23) = (TV.Load(row2), TV.Load(row2 + v1), TV.Load(row2 + v2), TV.Load(row2 + v3));
                (c30, c31, c32, c33) = (TV.Load(row3), TV.Load(row3 + v1), TV.Load(row3 + v2), TV.Load(row3 + v3));
            }
            float* a0 = a, a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
            for (var k = 0; k < inner; k++)
            {
                TV b0 = TV.Load(b), b1 = TV.Load(b + v1), b2 = TV.Load(b + v2), b3 = TV.Load(b + v3);
                var x = TV.Create(*a0);
                c00 = TV.FusedMultiplyAdd(x, b0, c00);
                c01 = TV.FusedMultiplyAdd(x, b1, c01);
                c02 = TV.FusedMultiplyAdd(x, b2, c02);
                c03 = TV.FusedMultiplyAdd(x, b3, c03);
                x = TV.Create(*a1);
                c10 = TV.FusedMultiplyAdd(x, b0, c10);
                c11 = TV.FusedMultiplyAdd(x, b1, c11);
                c12 = TV.FusedMultiplyAdd(x, b2, c12);
                c13 = TV.FusedMultiplyAdd(x, b3, c13);
                x = TV.Create(*a2);
                c20 = TV.FusedMultiplyAdd(x, b0, c20);
                c21 = TV.FusedMultiplyAdd(x, b1, c21);
                c22 = TV.FusedMultiplyAdd(x, b2, c22);
                c23 = TV.FusedMultiplyAdd(x, b3, c23);
                x = TV.Create(*a3);
                c30 = TV.FusedMultiplyAdd(x, b0, c30);
                c31 = TV.FusedMultiplyAdd(x, b1, c31);
                c32 = TV.FusedMultiplyAdd(x, b2, c32);
                c33 = TV.FusedMultiplyAdd(x, b3, c33);
                a0 += aInner;
                a1 += aInner;
                a2 += aInner;
                a3 += aInner;
                b += bRow;
            }
            TV.Store(c00, row0);
            TV.Store(c01, row0 + v1);
            TV.Store(c02, row0 + v2);
            TV.Store(c03, row0 + v3);
            TV.Store(c10, row1);
            TV.Store(c11, row1 + v1);
            TV.Store(c12, row1 + v2);
            TV.Store(c13, row1 + v3);
            TV.Store(c20, row2);
            TV.Store(c21, row2 + v1);
            TV.Store(c22, row2 + v2);
            TV.Store(c23, row2 + v3);
            TV.Store(c30, row3);
            TV.Store(c31, row3 + v1);
            TV.Store(c32, row3 + v2);
            TV.Store(c33, row3 + v3);
        }
    }

    // Eight accumulators: what hides the latency of the multiply-adds within 16 registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo(float* c, nint cRow, float* a, nint aRow, nint aInner, float* b, nint bRow, int inner, bool accumulate)
    {
        unchecked
        {
            TV c00 = TV.Zero, c01 = TV.Zero, c10 = TV.Zero, c11 = TV.Zero, c20 = TV.Zero, c21 = TV.Zero, c30 = TV.Zero, c31 = TV.Zero;
            float* row0 = c, row1 = c + cRow, row2 = row1 + cRow, row3 = row2 + cRow;
            if (accumulate)
            {
                (c00, c01, c10, c11) = (TV.Load(row0), TV.Load(row0 + TV.Count), TV.Load(row1), TV.Load(row1 + TV.Count));
                (c20, c21, c30, c31) = (TV.Load(row2), TV.Load(row2 + TV.Count), TV.Load(row3), TV.Load(row3 + TV.Count));
            }
            float* a0 = a, a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
            for (var k = 0; k < inner; k++)
            {
                TV b0 = TV.Load(b), b1 = TV.Load(b + TV.Count);
                var x = TV.Create(*a0);
                c00 = TV.FusedMultiplyAdd(x, b0, c00);
                c01 = TV.FusedMultiplyAdd(x, b1, c01);
                x = TV.Create(*a1);
                c10 = TV.FusedMultiplyAdd(x, b0, c10);
                c11 = TV.FusedMultiplyAdd(x, b1, c11);
                x = TV.Create(*a2);
                c20 = TV.FusedMultiplyAdd(x, b0, c20);
                c21 = TV.FusedMultiplyAdd(x, b1, c21);
                x = TV.Create(*a3);
                c30 = TV.FusedMultiplyAdd(x, b0, c30);
                c31 = TV.FusedMultiplyAdd(x, b1, c31);
                a0 += aInner;
                a1 += aInner;
                a2 += aInner;
                a3 += aInner;
                b += bRow;
            }
            TV.Store(c00, row0);
            TV.Store(c01, row0 + TV.Count);
            TV.Store(c10, row1);
            TV.Store(c11, row1 + TV.Count);
            TV.Store(c20, row2);
            TV.Store(c21, row2 + TV.Count);
            TV.Store(c30, row3);
            TV.Store(c31, row3 + TV.Count);
        }
    }

    // The columns beyond the last full panel: 272 features are four panels of 64 and one of 16.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByOne(float* c, nint cRow, float* a, nint aRow, nint aInner, float* b, nint bRow, int inner, bool accumulate)
    {
        unchecked
        {
            TV c0 = TV.Zero, c1 = TV.Zero, c2 = TV.Zero, c3 = TV.Zero, c4 = TV.Zero, c5 = TV.Zero, c6 = TV.Zero, c7 = TV.Zero;
            var lower = c + (4 * cRow);
            if (accumulate)
            {
                (c0, c1, c2, c3) = (TV.Load(c), TV.Load(c + cRow), TV.Load(c + (2 * cRow)), TV.Load(c + (3 * cRow)));
                (c4, c5, c6, c7) = (TV.Load(lower), TV.Load(lower + cRow), TV.Load(lower + (2 * cRow)), TV.Load(lower + (3 * cRow)));
            }
            var a4 = a + (4 * aRow);
            nint row2 = 2 * aRow, row3 = 3 * aRow;
            for (var k = 0; k < inner; k++)
            {
                var x = TV.Load(b);
                c0 = TV.FusedMultiplyAdd(TV.Create(*a), x, c0);
                c1 = TV.FusedMultiplyAdd(TV.Create(a[aRow]), x, c1);
                c2 = TV.FusedMultiplyAdd(TV.Create(a[row2]), x, c2);
                c3 = TV.FusedMultiplyAdd(TV.Create(a[row3]), x, c3);
                c4 = TV.FusedMultiplyAdd(TV.Create(*a4), x, c4);
                c5 = TV.FusedMultiplyAdd(TV.Create(a4[aRow]), x, c5);
                c6 = TV.FusedMultiplyAdd(TV.Create(a4[row2]), x, c6);
                c7 = TV.FusedMultiplyAdd(TV.Create(a4[row3]), x, c7);
                a += aInner;
                a4 += aInner;
                b += bRow;
            }
            TV.Store(c0, c);
            TV.Store(c1, c + cRow);
            TV.Store(c2, c + (2 * cRow));
            TV.Store(c3, c + (3 * cRow));
            TV.Store(c4, lower);
            TV.Store(c5, lower + cRow);
            TV.Store(c6, lower + (2 * cRow));
            TV.Store(c7, lower + (3 * cRow));
        }
    }

    private static void OneByOne(float* c, float* a, nint aInner, float* b, nint bRow, int inner, bool accumulate)
    {
        unchecked
        {
            var sum = accumulate ? TV.Load(c) : TV.Zero;
            for (var k = 0; k < inner; k++) sum = TV.FusedMultiplyAdd(TV.Create(a[k * aInner]), TV.Load(b + (k * bRow)), sum);
            TV.Store(sum, c);
        }
    }
}
