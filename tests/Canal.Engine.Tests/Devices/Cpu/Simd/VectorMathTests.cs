using Canal.Engine.Devices.Cpu.Simd;

namespace Canal.Engine.Tests.Devices.Cpu.Simd;

/// <summary>The register functions against float64 over dense grids, and bit for bit between widths.</summary>
public sealed unsafe class VectorMathTests
{
    private delegate void Kernel(float* y, float* x, int count);

    [Fact]
    public void Exp_IsWithinOneUlpOfFloat64()
    {
        var x = Grid(-87.33f, 88.72f, 1_000_003);
        var y = Run(VectorMath.Exp<V512>, x);
        for (var i = 0; i < x.Length; i++)
        {
            var exact = Math.Exp(x[i]);
            Assert.True(Math.Abs(y[i] - exact) <= 1.0 * Ulp(exact), $"exp({x[i]:r}) = {y[i]:r}, not {exact:r}");
        }
    }

    [Theory, InlineData(-87.4f, 0f), InlineData(-1e30f, 0f), InlineData(float.NegativeInfinity, 0f), InlineData(0f, 1f)]
    [InlineData(88.73f, float.PositiveInfinity), InlineData(1e30f, float.PositiveInfinity), InlineData(float.PositiveInfinity, float.PositiveInfinity), InlineData(float.NaN, float.NaN)]
    public void Exp_AtTheEdges(float x, float expected)
    {
        Assert.Equal(expected, Run(VectorMath.Exp<V512>, [x])[0]);
        Assert.Equal(expected, Run(VectorMath.Exp<V256>, [x])[0]);
        Assert.Equal(expected, Run(VectorMath.Exp<V128>, [x])[0]);
    }

    [Fact]
    public void Exp_DoesNotDecreaseBetweenNeighbours()
    {
        var x = new float[100_000];
        for (var (i, v) = (0, -3.4657359f); i < x.Length; i++, v = MathF.BitIncrement(v)) x[i] = v;   // across a change of exponent
        var y = Run(VectorMath.Exp<V512>, x);
        for (var i = 1; i < y.Length; i++) Assert.True(y[i] >= y[i - 1] * (1 - 1.2e-7f), $"exp falls at {x[i]:r}");
    }

    [Fact]
    public void NormalCdf_IsWithinOneUlpOfOne()
    {
        var x = Grid(-12, 12, 400_001);
        var y = Run(NormalCdf<V512>, x);
        for (var i = 0; i < x.Length; i++)
        {
            var exact = Phi(x[i]);
            Assert.True(Math.Abs(y[i] - exact) <= 1e-7, $"Phi({x[i]:r}) = {y[i]:r}, not {exact:r}");
            // Relatively: the fit 0.6e-6, half an ulp of q t = 17.7 (1e-6), the last steps of Horner times t (1.4e-6), rounded coefficients (0.8e-6).
            if (x[i] is > -5.6f and < 0) Assert.True(Math.Abs(y[i] - exact) <= 4e-6 * exact, $"Phi({x[i]:r}) = {y[i]:r}, not {exact:r}, relatively");
        }
    }

    [Fact]
    public void Gelu_IsWithinItsBound()
    {
        var x = Grid(-20, 20, 400_001);
        var y = Run(VectorMath.Gelu<V512>, x);
        for (var i = 0; i < x.Length; i++)
        {
            var exact = x[i] * Phi(x[i]);
            Assert.True(Math.Abs(y[i] - exact) <= 1e-7 * Math.Abs(x[i]), $"gelu({x[i]:r}) = {y[i]:r}, not {exact:r}");
        }
        Assert.True(float.IsNaN(Run(VectorMath.Gelu<V512>, [float.NaN])[0]));
        Assert.Equal(float.PositiveInfinity, Run(VectorMath.Gelu<V512>, [float.PositiveInfinity])[0]);
    }

    [Fact]
    public void GeluDerivative_IsWithinItsBound()
    {
        var x = Grid(-20, 20, 400_001);
        var y = Run(GeluDerivative<V512>, x);
        for (var i = 0; i < x.Length; i++)
        {
            var exact = Phi(x[i]) + (x[i] * Math.Exp(-0.5 * (double)x[i] * x[i]) / Math.Sqrt(2 * Math.PI));
            Assert.True(Math.Abs(y[i] - exact) <= 2.5e-7, $"gelu'({x[i]:r}) = {y[i]:r}, not {exact:r}");
        }
    }

    [Fact]
    public void AllWidths_GiveTheSameBits()
    {
        var x = Grid(-100, 100, 100_003).Concat(Grid(-6, 6, 100_003)).Concat([float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, -0f, 3e38f, -3e38f]).ToArray();
        Same(Run(VectorMath.Exp<V512>, x), Run(VectorMath.Exp<V256>, x), Run(VectorMath.Exp<V128>, x));
        Same(Run(VectorMath.Gelu<V512>, x), Run(VectorMath.Gelu<V256>, x), Run(VectorMath.Gelu<V128>, x));
        Same(Run(GeluDerivative<V512>, x), Run(GeluDerivative<V256>, x), Run(GeluDerivative<V128>, x));
    }

    private static void NormalCdf<TV>(float* y, float* x, int count) where TV : struct, IVector<TV>
    {
        for (var i = 0; i < count; i += TV.Count) TV.Store(VectorMath.NormalCdf(TV.Load(x + i, count - i)), y + i, count - i);
    }

    private static void GeluDerivative<TV>(float* y, float* x, int count) where TV : struct, IVector<TV>
    {
        for (var i = 0; i < count; i += TV.Count) TV.Store(VectorMath.GeluDerivative(TV.Load(x + i, count - i)), y + i, count - i);
    }

    private static float[] Run(Kernel kernel, float[] x)
    {
        var y = new float[x.Length + 1];
        y.AsSpan().Fill(-77);
        fixed (float* source = x, target = y) kernel(target, source, x.Length);
        Assert.Equal(-77, y[^1]);
        return y[..^1];
    }

    private static void Same(params float[][] results)
    {
        for (var i = 0; i < results[0].Length; i++)
        {
            foreach (var result in results)
            {
                Assert.True(BitConverter.SingleToInt32Bits(result[i]) == BitConverter.SingleToInt32Bits(results[0][i]), $"element {i}: {result[i]:r} and {results[0][i]:r}");
            }
        }
    }

    private static float[] Grid(float from, float to, int count) =>
        [.. Enumerable.Range(0, count).Select(i => (float)(from + ((double)(to - from) * i / (count - 1))))];

    private static double Ulp(double value) => MathF.BitIncrement((float)value) - (double)(float)value;

    /// <summary>Phi in float64: its Taylor series (all terms positive) near 0, Laplace's continued fraction in the tails.</summary>
    private static double Phi(double x)
    {
        var t = Math.Abs(x);
        var density = Math.Exp(-0.5 * t * t) / Math.Sqrt(2 * Math.PI);
        double tail;
        if (t < 3)
        {
            var (sum, term) = (t, t);
            for (var k = 1; k < 200; k++) sum += term *= t * t / ((2 * k) + 1);
            tail = 0.5 - (density * sum);
        }
        else
        {
            var fraction = t;
            for (var k = 300; k > 0; k--) fraction = t + (k / fraction);
            tail = density / fraction;
        }
        return x < 0 ? tail : 1 - tail;
    }
}
