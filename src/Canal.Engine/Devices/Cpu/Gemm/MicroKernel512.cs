using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Canal.Engine.Devices.Cpu.Gemm;

/// <summary>Tiles of 8 rows and 48, 32 or 16 columns: 24 accumulators, 3 registers of B and one of A out of 32.</summary>
internal readonly unsafe struct MicroKernel512 : IMicroKernel
{
    /// <inheritdoc/>
    public static int Rows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }

    /// <inheritdoc/>
    public static int Panels
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 3;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(in TileArguments t, int panels)
    {
        if (panels == 3) Tile3(in t, t.B, t.C);
        else if (panels == 2) Tile2(in t, t.B, t.C);
        else Tile1(in t, t.B, t.C);
    }

    // The loop holds nothing but loads and fused multiply-adds; no local memory in these methods, it would make the JIT spill.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile3(in TileArguments t, float* b, float* c)
    {
        unchecked
        {
            var a = (byte*)t.A;
            var rows = t.Rows;
            var step = t.DepthStride;
            var bStep = t.PanelStep;
            var next = t.PanelStride;
            // Rows that do not exist read the last one again and are not stored.
            var o1 = t.RowStride * Math.Min(1, rows - 1);
            var o2 = t.RowStride * Math.Min(2, rows - 1);
            var o3 = t.RowStride * Math.Min(3, rows - 1);
            var o4 = t.RowStride * Math.Min(4, rows - 1);
            var o5 = t.RowStride * Math.Min(5, rows - 1);
            var o6 = t.RowStride * Math.Min(6, rows - 1);
            var o7 = t.RowStride * Math.Min(7, rows - 1);
            Vector512<float> c00 = default, c01 = default, c02 = default;
            Vector512<float> c10 = default, c11 = default, c12 = default;
            Vector512<float> c20 = default, c21 = default, c22 = default;
            Vector512<float> c30 = default, c31 = default, c32 = default;
            Vector512<float> c40 = default, c41 = default, c42 = default;
            Vector512<float> c50 = default, c51 = default, c52 = default;
            Vector512<float> c60 = default, c61 = default, c62 = default;
            Vector512<float> c70 = default, c71 = default, c72 = default;
            for (var depth = t.Depth; depth > 0; depth--)
            {
                var b0 = Vector512.Load(b);
                var b1 = Vector512.Load((float*)((byte*)b + next));
                var b2 = Vector512.Load((float*)((byte*)b + (2 * next)));
                var x = Vector512.Create(*(float*)a);
                c00 = Vector512.FusedMultiplyAdd(x, b0, c00); c01 = Vector512.FusedMultiplyAdd(x, b1, c01); c02 = Vector512.FusedMultiplyAdd(x, b2, c02);
                x = Vector512.Create(*(float*)(a + o1));
                c10 = Vector512.FusedMultiplyAdd(x, b0, c10); c11 = Vector512.FusedMultiplyAdd(x, b1, c11); c12 = Vector512.FusedMultiplyAdd(x, b2, c12);
                x = Vector512.Create(*(float*)(a + o2));
                c20 = Vector512.FusedMultiplyAdd(x, b0, c20); c21 = Vector512.FusedMultiplyAdd(x, b1, c21); c22 = Vector512.FusedMultiplyAdd(x, b2, c22);
                x = Vector512.Create(*(float*)(a + o3));
                c30 = Vector512.FusedMultiplyAdd(x, b0, c30); c31 = Vector512.FusedMultiplyAdd(x, b1, c31); c32 = Vector512.FusedMultiplyAdd(x, b2, c32);
                x = Vector512.Create(*(float*)(a + o4));
                c40 = Vector512.FusedMultiplyAdd(x, b0, c40); c41 = Vector512.FusedMultiplyAdd(x, b1, c41); c42 = Vector512.FusedMultiplyAdd(x, b2, c42);
                x = Vector512.Create(*(float*)(a + o5));
                c50 = Vector512.FusedMultiplyAdd(x, b0, c50); c51 = Vector512.FusedMultiplyAdd(x, b1, c51); c52 = Vector512.FusedMultiplyAdd(x, b2, c52);
                x = Vector512.Create(*(float*)(a + o6));
                c60 = Vector512.FusedMultiplyAdd(x, b0, c60); c61 = Vector512.FusedMultiplyAdd(x, b1, c61); c62 = Vector512.FusedMultiplyAdd(x, b2, c62);
                x = Vector512.Create(*(float*)(a + o7));
                c70 = Vector512.FusedMultiplyAdd(x, b0, c70); c71 = Vector512.FusedMultiplyAdd(x, b1, c71); c72 = Vector512.FusedMultiplyAdd(x, b2, c72);
                a += step;
                b = (float*)((byte*)b + bStep);
            }
            if (t.AddToTarget)
            {
                var from = c;
                c00 += Vector512.Load(from); c01 += Vector512.Load(from + 16); c02 += Vector512.Load(from + 32);
                from += t.CStride;
                if (rows > 1) { c10 += Vector512.Load(from); c11 += Vector512.Load(from + 16); c12 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 2) { c20 += Vector512.Load(from); c21 += Vector512.Load(from + 16); c22 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 3) { c30 += Vector512.Load(from); c31 += Vector512.Load(from + 16); c32 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 4) { c40 += Vector512.Load(from); c41 += Vector512.Load(from + 16); c42 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 5) { c50 += Vector512.Load(from); c51 += Vector512.Load(from + 16); c52 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 6) { c60 += Vector512.Load(from); c61 += Vector512.Load(from + 16); c62 += Vector512.Load(from + 32); }
                from += t.CStride;
                if (rows > 7) { c70 += Vector512.Load(from); c71 += Vector512.Load(from + 16); c72 += Vector512.Load(from + 32); }
            }
            c00.Store(c); c01.Store(c + 16); c02.Store(c + 32);
            if (rows == 1) return;
            c += t.CStride;
            c10.Store(c); c11.Store(c + 16); c12.Store(c + 32);
            if (rows == 2) return;
            c += t.CStride;
            c20.Store(c); c21.Store(c + 16); c22.Store(c + 32);
            if (rows == 3) return;
            c += t.CStride;
            c30.Store(c); c31.Store(c + 16); c32.Store(c + 32);
            if (rows == 4) return;
            c += t.CStride;
            c40.Store(c); c41.Store(c + 16); c42.Store(c + 32);
            if (rows == 5) return;
            c += t.CStride;
            c50.Store(c); c51.Store(c + 16); c52.Store(c + 32);
            if (rows == 6) return;
            c += t.CStride;
            c60.Store(c); c61.Store(c + 16); c62.Store(c + 32);
            if (rows == 7) return;
            c += t.CStride;
            c70.Store(c); c71.Store(c + 16); c72.Store(c + 32);
        }
    }

    // 32 columns.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile2(in TileArguments t, float* b, float* c)
    {
        unchecked
        {
            var a = (byte*)t.A;
            var rows = t.Rows;
            var step = t.DepthStride;
            var bStep = t.PanelStep;
            var next = t.PanelStride;
            // Rows that do not exist read the last one again and are not stored.
            var o1 = t.RowStride * Math.Min(1, rows - 1);
            var o2 = t.RowStride * Math.Min(2, rows - 1);
            var o3 = t.RowStride * Math.Min(3, rows - 1);
            var o4 = t.RowStride * Math.Min(4, rows - 1);
            var o5 = t.RowStride * Math.Min(5, rows - 1);
            var o6 = t.RowStride * Math.Min(6, rows - 1);
            var o7 = t.RowStride * Math.Min(7, rows - 1);
            Vector512<float> c00 = default, c01 = default;
            Vector512<float> c10 = default, c11 = default;
            Vector512<float> c20 = default, c21 = default;
            Vector512<float> c30 = default, c31 = default;
            Vector512<float> c40 = default, c41 = default;
            Vector512<float> c50 = default, c51 = default;
            Vector512<float> c60 = default, c61 = default;
            Vector512<float> c70 = default, c71 = default;
            for (var depth = t.Depth; depth > 0; depth--)
            {
                var b0 = Vector512.Load(b);
                var b1 = Vector512.Load((float*)((byte*)b + next));
                var x = Vector512.Create(*(float*)a);
                c00 = Vector512.FusedMultiplyAdd(x, b0, c00); c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
                x = Vector512.Create(*(float*)(a + o1));
                c10 = Vector512.FusedMultiplyAdd(x, b0, c10); c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
                x = Vector512.Create(*(float*)(a + o2));
                c20 = Vector512.FusedMultiplyAdd(x, b0, c20); c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
                x = Vector512.Create(*(float*)(a + o3));
                c30 = Vector512.FusedMultiplyAdd(x, b0, c30); c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
                x = Vector512.Create(*(float*)(a + o4));
                c40 = Vector512.FusedMultiplyAdd(x, b0, c40); c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
                x = Vector512.Create(*(float*)(a + o5));
                c50 = Vector512.FusedMultiplyAdd(x, b0, c50); c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
                x = Vector512.Create(*(float*)(a + o6));
                c60 = Vector512.FusedMultiplyAdd(x, b0, c60); c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
                x = Vector512.Create(*(float*)(a + o7));
                c70 = Vector512.FusedMultiplyAdd(x, b0, c70); c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
                a += step;
                b = (float*)((byte*)b + bStep);
            }
            if (t.AddToTarget)
            {
                var from = c;
                c00 += Vector512.Load(from); c01 += Vector512.Load(from + 16);
                from += t.CStride;
                if (rows > 1) { c10 += Vector512.Load(from); c11 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 2) { c20 += Vector512.Load(from); c21 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 3) { c30 += Vector512.Load(from); c31 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 4) { c40 += Vector512.Load(from); c41 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 5) { c50 += Vector512.Load(from); c51 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 6) { c60 += Vector512.Load(from); c61 += Vector512.Load(from + 16); }
                from += t.CStride;
                if (rows > 7) { c70 += Vector512.Load(from); c71 += Vector512.Load(from + 16); }
            }
            c00.Store(c); c01.Store(c + 16);
            if (rows == 1) return;
            c += t.CStride;
            c10.Store(c); c11.Store(c + 16);
            if (rows == 2) return;
            c += t.CStride;
            c20.Store(c); c21.Store(c + 16);
            if (rows == 3) return;
            c += t.CStride;
            c30.Store(c); c31.Store(c + 16);
            if (rows == 4) return;
            c += t.CStride;
            c40.Store(c); c41.Store(c + 16);
            if (rows == 5) return;
            c += t.CStride;
            c50.Store(c); c51.Store(c + 16);
            if (rows == 6) return;
            c += t.CStride;
            c60.Store(c); c61.Store(c + 16);
            if (rows == 7) return;
            c += t.CStride;
            c70.Store(c); c71.Store(c + 16);
        }
    }

    // 16 columns.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile1(in TileArguments t, float* b, float* c)
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
            var o6 = t.RowStride * Math.Min(6, rows - 1);
            var o7 = t.RowStride * Math.Min(7, rows - 1);
            Vector512<float> c00 = default;
            Vector512<float> c10 = default;
            Vector512<float> c20 = default;
            Vector512<float> c30 = default;
            Vector512<float> c40 = default;
            Vector512<float> c50 = default;
            Vector512<float> c60 = default;
            Vector512<float> c70 = default;
            for (var depth = t.Depth; depth > 0; depth--)
            {
                var b0 = Vector512.Load(b);
                var x = Vector512.Create(*(float*)a);
                c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
                x = Vector512.Create(*(float*)(a + o1));
                c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
                x = Vector512.Create(*(float*)(a + o2));
                c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
                x = Vector512.Create(*(float*)(a + o3));
                c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
                x = Vector512.Create(*(float*)(a + o4));
                c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
                x = Vector512.Create(*(float*)(a + o5));
                c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
                x = Vector512.Create(*(float*)(a + o6));
                c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
                x = Vector512.Create(*(float*)(a + o7));
                c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
                a += step;
                b = (float*)((byte*)b + bStep);
            }
            if (t.AddToTarget)
            {
                var from = c;
                c00 += Vector512.Load(from);
                from += t.CStride;
                if (rows > 1) { c10 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 2) { c20 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 3) { c30 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 4) { c40 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 5) { c50 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 6) { c60 += Vector512.Load(from); }
                from += t.CStride;
                if (rows > 7) { c70 += Vector512.Load(from); }
            }
            c00.Store(c);
            if (rows == 1) return;
            c += t.CStride;
            c10.Store(c);
            if (rows == 2) return;
            c += t.CStride;
            c20.Store(c);
            if (rows == 3) return;
            c += t.CStride;
            c30.Store(c);
            if (rows == 4) return;
            c += t.CStride;
            c40.Store(c);
            if (rows == 5) return;
            c += t.CStride;
            c50.Store(c);
            if (rows == 6) return;
            c += t.CStride;
            c60.Store(c);
            if (rows == 7) return;
            c += t.CStride;
            c70.Store(c);
        }
    }
}
