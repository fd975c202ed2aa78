namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>Reductions of contiguous runs through <see cref="Lanes16{TV}"/>: the same bits for every register width.</summary>
public static unsafe class Reduce
{
    /// <summary>Sum of x.</summary>
    public static float Sum<TV>(float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var sums = Lanes16<TV>.Create(0);
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count) sums.Add(Lanes16<TV>.Load(x + i));
            if (i < count) sums.Add(Lanes16<TV>.Load(x + i, count - i, 0));
            return sums.Sum();
        }
    }

    /// <summary>Sum of x · y, each product fused into its lane.</summary>
    public static float Dot<TV>(float* x, float* y, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var sums = Lanes16<TV>.Create(0);
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count) sums.MultiplyAdd(Lanes16<TV>.Load(x + i), Lanes16<TV>.Load(y + i));
            if (i < count) sums.MultiplyAdd(Lanes16<TV>.Load(x + i, count - i, 0), Lanes16<TV>.Load(y + i, count - i, 0));
            return sums.Sum();
        }
    }

    /// <summary>Sum of (x - center)^2, each square fused into its lane.</summary>
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
    public static float Max<TV>(float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var largest = Lanes16<TV>.Create(float.NegativeInfinity);
            var i = 0;
            for (; i <= count - Lanes16<TV>.Count; i += Lanes16<TV>.Count) largest.Max(Lanes16<TV>.Load(x + i));
            if (i < count) largest.Max(Lanes16<TV>.Load(x + i, count - i, float.NegativeInfinity));
            return largest.Max();
        }
    }
}
