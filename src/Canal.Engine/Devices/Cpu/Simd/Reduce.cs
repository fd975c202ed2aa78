using System.Runtime.CompilerServices;

namespace Canal.Engine.Devices.Cpu.Simd;

// The long loops keep their lanes in plain locals: a Lanes16 that lives through a loop ends up in memory, ten times slower.
/// <summary>Reductions of contiguous runs through <see cref="Lanes16{TV}"/>: the same bits for every register width.</summary>
public static unsafe class Reduce
{
    /// <summary>Sum of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum<TV>(float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            TV sum0 = TV.Zero, sum1 = TV.Zero, sum2 = TV.Zero, sum3 = TV.Zero;
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count)
            {
                sum0 += TV.Load(x + i);
                if (TV.Count == 16) continue;
                sum1 += TV.Load(x + i + TV.Count);
                if (TV.Count == 8) continue;
                sum2 += TV.Load(x + i + (2 * TV.Count));
                sum3 += TV.Load(x + i + (3 * TV.Count));
            }
            var sums = Lanes16<TV>.Of(sum0, sum1, sum2, sum3);
            if (i < count) sums.Add(Lanes16<TV>.Load(x + i, count - i, 0));
            return sums.Sum();
        }
    }

    /// <summary>Sum of x · y, each product fused into its lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<TV>(float* x, float* y, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            TV sum0 = TV.Zero, sum1 = TV.Zero, sum2 = TV.Zero, sum3 = TV.Zero;
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count)
            {
                sum0 = TV.FusedMultiplyAdd(TV.Load(x + i), TV.Load(y + i), sum0);
                if (TV.Count == 16) continue;
                sum1 = TV.FusedMultiplyAdd(TV.Load(x + i + TV.Count), TV.Load(y + i + TV.Count), sum1);
                if (TV.Count == 8) continue;
                sum2 = TV.FusedMultiplyAdd(TV.Load(x + i + (2 * TV.Count)), TV.Load(y + i + (2 * TV.Count)), sum2);
                sum3 = TV.FusedMultiplyAdd(TV.Load(x + i + (3 * TV.Count)), TV.Load(y + i + (3 * TV.Count)), sum3);
            }
            var sums = Lanes16<TV>.Of(sum0, sum1, sum2, sum3);
            if (i < count) sums.MultiplyAdd(Lanes16<TV>.Load(x + i, count - i, 0), Lanes16<TV>.Load(y + i, count - i, 0));
            return sums.Sum();
        }
    }

    /// <summary>Sum of (x - center)^2, each square fused into its lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SquaredDeviations<TV>(float* x, float center, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            TV sum0 = TV.Zero, sum1 = TV.Zero, sum2 = TV.Zero, sum3 = TV.Zero;
            var centers = TV.Create(center);
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count)
            {
                var d0 = TV.Load(x + i) - centers;
                sum0 = TV.FusedMultiplyAdd(d0, d0, sum0);
                if (TV.Count == 16) continue;
                var d1 = TV.Load(x + i + TV.Count) - centers;
                sum1 = TV.FusedMultiplyAdd(d1, d1, sum1);
                if (TV.Count == 8) continue;
                var d2 = TV.Load(x + i + (2 * TV.Count)) - centers;
                var d3 = TV.Load(x + i + (3 * TV.Count)) - centers;
                sum2 = TV.FusedMultiplyAdd(d2, d2, sum2);
                sum3 = TV.FusedMultiplyAdd(d3, d3, sum3);
            }
            var sums = Lanes16<TV>.Of(sum0, sum1, sum2, sum3);
            if (i < count)
            {
                var rest = Lanes16<TV>.Load(x + i, count - i, center);
                rest.Add(Lanes16<TV>.Create(-center));
                sums.MultiplyAdd(rest, rest);
            }
            return sums.Sum();
        }
    }

    /// <summary>Largest of x; negative infinity where there is none. NaN are passed over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max<TV>(float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var lowest = TV.Create(float.NegativeInfinity);
            TV max0 = lowest, max1 = lowest, max2 = lowest, max3 = lowest;
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count)
            {
                max0 = TV.Max(TV.Load(x + i), max0);
                if (TV.Count == 16) continue;
                max1 = TV.Max(TV.Load(x + i + TV.Count), max1);
                if (TV.Count == 8) continue;
                max2 = TV.Max(TV.Load(x + i + (2 * TV.Count)), max2);
                max3 = TV.Max(TV.Load(x + i + (3 * TV.Count)), max3);
            }
            var largest = Lanes16<TV>.Of(max0, max1, max2, max3);
            if (i < count) largest.Max(Lanes16<TV>.Load(x + i, count - i, float.NegativeInfinity));
            return largest.Max();
        }
    }
}
