using System.Runtime.CompilerServices;

namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>
/// Elementary functions on registers: only correctly rounded operations in one fixed order, so the same bits for every width.
/// Polynomials are weighted minimax fits made in 40-digit arithmetic for these forms.
/// </summary>
public static unsafe class VectorMath
{
    /// <summary>Above it e^x overflows; also above it e^x is infinite here.</summary>
    private const float ExpHigh = 88.722839f;

    /// <summary>Below it e^x is subnormal; here it is 0.</summary>
    private const float ExpLow = -87.336544f;
    private const float Log2E = 1.44269504f;

    // ln 2 in two parts (Cody, Waite 1980): the first has few enough bits that n times it is exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    /// <summary>1.5 · 2^23: adding it rounds to an integer and leaves that integer in the low bits.</summary>
    private const float RoundingShift = 12582912f;

    /// <summary>Beyond it Phi(-t) is under 1.1e-8 and counts as 0: half an ulp of 1 is 3e-8.</summary>
    private const float NormalTail = 5.6f;
    private const float InverseSqrt2Pi = 0.398942280f;

    /// <summary>e^x: at most 1 ulp off on [-87.33, 88.72]; 0 below, infinity above, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Exp<TV>(TV x) where TV : struct, IVector<TV>
    {
        var y = ExpInRange(x);
        y = TV.Select(TV.LessThanOrEqual(x, TV.Create(ExpHigh)), y, x * TV.Create(float.PositiveInfinity));
        return TV.Select(TV.LessThan(x, TV.Create(ExpLow)), TV.Zero, y);
    }

    /// <summary>e^x for arguments of at most 88.72: 0 below -87.33, NaN for NaN. What the feature maps need, where no argument is positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV ExpOfNonPositive<TV>(TV x) where TV : struct, IVector<TV> =>
        TV.Select(TV.LessThan(x, TV.Create(ExpLow)), TV.Zero, ExpInRange(x));

    /// <summary>Phi(x), the standard normal distribution function: within 1e-7 of the truth everywhere, and relatively to 4e-6 down to x = -5.6, where it becomes 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV NormalCdf<TV>(TV x) where TV : struct, IVector<TV>
    {
        var t = x & TV.CreateBits(0x7FFFFFFF);
        // Phi(-t) = exp(-q(t)) / 2 with q a polynomial without constant term, so that q(0) = 0 exactly.
        var q = TV.FusedMultiplyAdd(TV.Create(1.7002383501107943e-08f), t, TV.Create(-5.176670470063982e-07f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(6.764263162040152e-06f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(-4.813633131561801e-05f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(0.00017741105693858117f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(3.2925181585596874e-05f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(-0.004853268153965473f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(0.03637320548295975f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(0.318300724029541f));
        q = TV.FusedMultiplyAdd(q, t, TV.Create(0.7978852987289429f));
        var tail = TV.Create(0.5f) * ExpInRange(TV.Zero - (q * t));
        tail = TV.Select(TV.LessThanOrEqual(t, TV.Create(NormalTail)), tail, TV.Zero);
        return TV.Select(TV.LessThan(x, TV.Zero), tail, TV.Create(1f) - tail);
    }

    /// <summary>Exact GELU, x Phi(x) (the erf form), within 1e-7 |x|; NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Gelu<TV>(TV x) where TV : struct, IVector<TV> => x * NormalCdf(x);

    /// <summary>Derivative of the exact GELU, Phi(x) + x phi(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV GeluDerivative<TV>(TV x) where TV : struct, IVector<TV>
    {
        var density = TV.Create(InverseSqrt2Pi) * ExpOfNonPositive(x * (TV.Create(-0.5f) * x));
        return TV.FusedMultiplyAdd(x, density, NormalCdf(x));
    }

    /// <summary>y = e^x over an array; y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exp<TV>(float* y, float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var i = 0;
            for (; i <= count - TV.Count; i += TV.Count) TV.Store(Exp(TV.Load(x + i)), y + i);
            if (i < count) TV.Store(Exp(TV.Load(x + i, count - i)), y + i, count - i);
        }
    }

    /// <summary>y = GELU(x) over an array; y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gelu<TV>(float* y, float* x, int count) where TV : struct, IVector<TV>
    {
        unchecked
        {
            var i = 0;
            for (; i <= count - TV.Count; i += TV.Count) TV.Store(Gelu(TV.Load(x + i)), y + i);
            if (i < count) TV.Store(Gelu(TV.Load(x + i, count - i)), y + i, count - i);
        }
    }

    /// <summary>e^x for x in [-87.33, 88.72]; anything elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV ExpInRange<TV>(TV x) where TV : struct, IVector<TV>
    {
        var shifted = TV.FusedMultiplyAdd(x, TV.Create(Log2E), TV.Create(RoundingShift));
        var n = shifted - TV.Create(RoundingShift);
        var r = TV.FusedMultiplyAdd(n, TV.Create(-Ln2High), x);
        r = TV.FusedMultiplyAdd(n, TV.Create(-Ln2Low), r);
        // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2; the fit adds 3e-9 to the relative error.
        var p = TV.FusedMultiplyAdd(TV.Create(0.0013814402045682073f), r, TV.Create(0.008368786424398422f));
        p = TV.FusedMultiplyAdd(p, r, TV.Create(0.041668396443128586f));
        p = TV.FusedMultiplyAdd(p, r, TV.Create(0.1666651964187622f));
        p = TV.FusedMultiplyAdd(p, r, TV.Create(0.4999999403953552f));
        p = TV.FusedMultiplyAdd(p, r * r, r) + TV.Create(1f);
        // Adds n to the exponent; the bits of the rounding shift fall off the top.
        return TV.AddBits(p, TV.ShiftLeftBits(shifted, 23));
    }
}
