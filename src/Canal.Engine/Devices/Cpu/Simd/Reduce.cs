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
            var sums = Lanes16<TV>.Create(0);
            var minus = Lanes16<TV>.Create(-center);
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count) AddSquare(ref sums, Lanes16<TV>.Load(x + i), minus);
            if (i < count) AddSquare(ref sums, Lanes16<TV>.Load(x + i, count - i, center), minus);
            return sums.Sum();
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
        static void AddSquare(ref Lanes16<TV> sums, Lanes16<TV> x, Lanes16<TV> minus)
        {
            x.Add(minus);
            sums.MultiplyAdd(x, x);
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
