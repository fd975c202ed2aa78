using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>Tiles of 6 rows and 16 columns: 12 accumulators, 2 registers of B and one of A out of 16.</summary>
internal readonly unsafe struct MicroKernel256 : IMicroKernel
{
    /// <inheritdoc/>
    public static int Rows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 6;
    }

    /// <inheritdoc/>
    public static int Panels
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(in TileArguments t, int panels) => Tile(in t, t.B, t.C);

    // One panel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile(in TileArguments t, float* b, float* c)
    {
        unchecked
        {
            var a = (byte*)t.A;
            var rows = t.Rows;
            var step = t.DepthStride;
            var bStep = t.PanelStep;
            // Rows that do not exist read the last one again and are not stored.
            var o1 = t.RowStride * Math.Min(1, rows - 1);
            var o2 = t.RowStride * Math.Min(2, rows - 1);
            var o3 = t.RowStride * Math.Min(3, rows - 1);
            var o4 = t.RowStride * Math.Min(4, rows - 1);
            var o5 = t.RowStride * Math.Min(5, rows - 1);
            Vector256<float> c00 = default, c01 = default;
            Vector256<float> c10 = default, c11 = default;
            Vector256<float> c20 = default, c21 = default;
            Vector256<float> c30 = default, c31 = default;
            Vector256<float> c40 = default, c41 = default;
            Vector256<float> c50 = default, c51 = default;
            for (var depth = t.Depth; depth > 0; depth--)
            {
                var b0 = Vector256.Load(b);
                var b1 = Vector256.Load(b + 8);
                var x = Vector256.Create(*(float*)a);
                c00 = Vector256.FusedMultiplyAdd(x, b0, c00); c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
                x = Vector256.Create(*(float*)(a + o1));
                c10 = Vector256.FusedMultiplyAdd(x, b0, c10); c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
                x = Vector256.Create(*(float*)(a + o2));
                c20 = Vector256.FusedMultiplyAdd(x, b0, c20); c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
                x = Vector256.Create(*(float*)(a + o3));
                c30 = Vector256.FusedMultiplyAdd(x, b0, c30); c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
                x = Vector256.Create(*(float*)(a + o4));
                c40 = Vector256.FusedMultiplyAdd(x, b0, c40); c41 = Vector256.FusedMultiplyAdd(x, b1, c41);
                x = Vector256.Create(*(float*)(a + o5));
                c50 = Vector256.FusedMultiplyAdd(x, b0, c50); c51 = Vector256.FusedMultiplyAdd(x, b1, c51);
                a += step;
                b = (float*)((byte*)b + bStep);
            }
            if (t.AddToTarget)
            {
                var from = c;
                c00 += Vector256.Load(from); c01 += Vector256.Load(from + 8);
                from += t.CStride;
                if (rows > 1) { c10 += Vector256.Load(from); c11 += Vector256.Load(from + 8); }
                from += t.CStride;
                if (rows > 2) { c20 += Vector256.Load(from); c21 += Vector256.Load(from + 8); }
                from += t.CStride;
                if (rows > 3) { c30 += Vector256.Load(from); c31 += Vector256.Load(from + 8); }
                from += t.CStride;
                if (rows > 4) { c40 += Vector256.Load(from); c41 += Vector256.Load(from + 8); }
                from += t.CStride;
                if (rows > 5) { c50 += Vector256.Load(from); c51 += Vector256.Load(from + 8); }
            }
            c00.Store(c); c01.Store(c + 8);
            if (rows == 1) return;
            c += t.CStride;
            c10.Store(c); c11.Store(c + 8);
            if (rows == 2) return;
            c += t.CStride;
            c20.Store(c); c21.Store(c + 8);
            if (rows == 3) return;
            c += t.CStride;
            c30.Store(c); c31.Store(c + 8);
            if (rows == 4) return;
            c += t.CStride;
            c40.Store(c); c41.Store(c + 8);
            if (rows == 5) return;
            c += t.CStride;
            c50.Store(c); c51.Store(c + 8);
        }
    }
}
