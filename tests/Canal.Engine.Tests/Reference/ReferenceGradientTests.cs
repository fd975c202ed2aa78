using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Reference;

/// <summary>Every float64 backward that kernels are held to, against differences of its forward.</summary>
public sealed class ReferenceGradientTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(5, 0)]
    [InlineData(33, 3)]
    public void LayerNorm(int channels, double mean)
    {
        const int rows = 3;
        var (x, gamma, beta) = (Values(1, rows * channels, mean), Values(2, channels, 1), Values(3, channels));
        var dy = Values(4, rows * channels);
        var (_, means, rstds) = LayerNormReference.Forward(x, gamma, beta, 1e-5);
        var (dx, dgamma, dbeta) = LayerNormReference.Backward(dy, x, means, rstds, gamma);
        CentralDifferences.Assert("dx", dx, x, v => Dot(dy, LayerNormReference.Forward(v, gamma, beta, 1e-5).Y));
        CentralDifferences.Assert("dgamma", dgamma, gamma, v => Dot(dy, LayerNormReference.Forward(x, v, beta, 1e-5).Y));
        CentralDifferences.Assert("dbeta", dbeta, beta, v => Dot(dy, LayerNormReference.Forward(x, gamma, v, 1e-5).Y));
    }

    [Fact]
    public void Gelu()
    {
        var (x, dy) = (Values(5, 200, 0, 3), Values(6, 200));
        CentralDifferences.Assert("dx", GeluReference.Backward(dy, x), x, v => Dot(dy, GeluReference.Forward(v)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void CrossEntropy(double smoothing)
    {
        var (z, labels, weights) = (Values(7, 6 * 5, 0, 3), new[] { 0, 4, -1, 2, 7, 2 }, Enumerable.Repeat(0.25, 6).ToArray());
        CentralDifferences.Assert("dlogits", CrossEntropyReference.Backward(z, labels, smoothing, 0.25), z,
            v => Dot(weights, CrossEntropyReference.Forward(v, labels, smoothing)));
    }

    [Fact]
    public void HeadFilter()
    {
        var (y, w, bias, du) = (Values(8, 20 * 7), Values(9, 7), Values(10, 1), Values(11, 20));
        var u = RowReference.HeadFilter(y, w, bias[0]);
        Assert.Contains(0.0, u);
        var (dy, dw, dbias) = RowReference.HeadFilterBackward(du, u, y, w);
        CentralDifferences.Assert("dy", dy, y, v => Dot(du, RowReference.HeadFilter(v, w, bias[0])));
        CentralDifferences.Assert("dw", dw, w, v => Dot(du, RowReference.HeadFilter(y, v, bias[0])));
        CentralDifferences.Assert("dbias", [dbias], bias, v => Dot(du, RowReference.HeadFilter(y, w, v[0])));
    }

    [Fact]
    public void Embedding()
    {
        var (bins, genes, dx, tokens) = (Values(12, 7 * 3), Values(13, 5 * 3), Values(14, 4 * 5 * 3), Sample.Integers(15, 4 * 5, 0, 7));
        var (dbins, dgenes) = RowReference.EmbeddingBackward(dx, tokens, 7, 5, 3);
        CentralDifferences.Assert("dbins", dbins, bins, v => Dot(dx, RowReference.Embedding(tokens, v, genes, 3)));
        CentralDifferences.Assert("dgenes", dgenes, genes, v => Dot(dx, RowReference.Embedding(tokens, bins, v, 3)));
    }

    [Fact]
    public void Distillation()
    {
        var (z, previous) = (Values(16, 30), Values(17, 30));
        CentralDifferences.Assert("dz", HeadReference.DistillationBackward(z, previous, 0.3), z, v => HeadReference.Distillation(v, previous, 0.3));
        Assert.Equal(0, HeadReference.Distillation(z, z, 0.3));
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] Values(int seed, int count, double mean = 0, double deviation = 1) =>
        Array.ConvertAll(Sample.Normal(seed, count, mean, deviation), v => (double)v);
}
