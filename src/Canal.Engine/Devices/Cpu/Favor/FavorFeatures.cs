using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>The random features of a tile of tokens of one head (method.md section 2): u = exp(c P x - c^2 |x|^2 / 2 - reference).</summary>
/// <remarks>The loops here and beside it are optimised at once: profile-guided tiers inline them into their callers and lose the registers, four times slower.</remarks>
internal static unsafe class FavorFeatures<TV> where TV : struct, IVector<TV>
{
    /// <summary>tile[t] = c P x_t for the rows of <paramref name="x"/>; padding becomes negative infinity, which no maximum sees and whose exponential is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Project(float* tile, float* x, nint xRow, int tokens, FavorLayout layout, float* packed)
    {
        unchecked
        {
            var stride = layout.PaddedFeatures;
            TileProduct.Multiply<TV>(tile, stride, x, xRow, 1, layout.Transposed(packed), tokens, accumulate: false);
            if (layout.Features == stride) return;
            for (var t = 0; t < tokens; t++)
            {
                new Span<float>(tile + (t * stride) + layout.Features, stride - layout.Features).Fill(float.NegativeInfinity);
            }
        }
    }

    /// <summary>c^2 |x|^2 / 2.</summary>
    public static float HalfNorm(float* x, FavorLayout layout) => layout.HalfSquaredScale * Reduce.Dot<TV>(x, x, layout.Width);

    /// <summary>The lowest feature with this projection; 0 where there is none (all NaN).</summary>
    public static int IndexOf(float* row, FavorLayout layout, float value) =>
        Math.Max(0, new ReadOnlySpan<float>(row, layout.Features).IndexOf(value));

    /// <summary>row = exp(row - shift).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exponentials(float* row, float shift, FavorLayout layout)
    {
        unchecked
        {
            var shifts = TV.Create(shift);
            for (var j = 0; j < layout.PaddedFeatures; j += TV.Count) TV.Store(VectorMath.ExpOfNonPositive(TV.Load(row + j) - shifts), row + j);
        }
    }

    /// <summary>row = exp(row - shift), and sums += row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exponentials(float* row, float shift, FavorLayout layout, float* sums)
    {
        unchecked
        {
            var shifts = TV.Create(shift);
            for (var j = 0; j < layout.PaddedFeatures; j += TV.Count)
            {
                var u = VectorMath.ExpOfNonPositive(TV.Load(row + j) - shifts);
                TV.Store(u, row + j);
                TV.Store(TV.Load(sums + j) + u, sums + j);
            }
        }
    }

    /// <summary>x *= factor over whole registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* x, float factor, int count)
    {
        unchecked
        {
            var factors = TV.Create(factor);
            for (var i = 0; i < count; i += TV.Count) TV.Store(TV.Load(x + i) * factors, x + i);
        }
    }

    /// <summary>y += x over whole registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddTo(float* y, float* x, int count)
    {
        unchecked
        {
            for (var i = 0; i < count; i += TV.Count) TV.Store(TV.Load(y + i) + TV.Load(x + i), y + i);
        }
    }

    /// <summary>target = product - factor x, D floats: how a gradient leaves the exponent's |x|^2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SubtractScaled(float* target, float* product, float* x, float factor, FavorLayout layout)
    {
        unchecked
        {
            var factors = TV.Create(factor);
            for (var d = 0; d < layout.Width; d += TV.Count)
            {
                var left = layout.Width - d;
                TV.Store(TV.FusedNegatedMultiplyAdd(factors, TV.Load(x + d, left), TV.Load(product + d)), target + d, left);
            }
        }
    }
}
