using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>
/// The reference in float32 and in float64. The gap between the two is the error of a plain implementation in our arithmetic; a tolerance is
/// twice that gap and two roundoffs at the scale of the largest intermediate (style R26).
/// </summary>
internal sealed class GoldenPair(string folder, string name)
{
    private const double Roundoff = 1.0 / (1 << 24);

    public GoldenTensors Single { get; } = SharedFiles.Golden(folder, name + "_f32");

    public GoldenTensors Double { get; } = SharedFiles.Golden(folder, name + "_f64");

    public double Gap(string tensor) => Largest(Single.Doubles(tensor).Zip(Double.Doubles(tensor), (a, b) => a - b));

    /// <summary>The largest gap of any tensor whose name starts so, relative to that tensor's largest element.</summary>
    public double RelativeGap(string prefix) =>
        Double.Names.Where(tensor => tensor.StartsWith(prefix, StringComparison.Ordinal))
            .Max(tensor => Gap(tensor) / Math.Max(Closeness.Scale(Double.Doubles(tensor)), double.Epsilon));

    /// <summary>Compares with float64 where the largest intermediate on the way there is <paramref name="intermediate"/>.</summary>
    public void AssertClose(string tensor, ReadOnlySpan<float> actual, double intermediate) => AssertClose(tensor, actual, intermediate, Gap(tensor));

    /// <summary>The same at a gap measured over more values than the tensor has: the gap of a few values is luck.</summary>
    public void AssertClose(string tensor, ReadOnlySpan<float> actual, double intermediate, double gap) =>
        Closeness.Assert(tensor, actual, Double.Doubles(tensor), (2 * gap) + (2 * Roundoff * intermediate));

    /// <summary>Compares with float64 at twice a relative gap measured over many tensors: for gradients, whose single gaps are luck.</summary>
    public void AssertCloseRelative(string tensor, ReadOnlySpan<float> actual, double relativeGap)
    {
        var expected = Double.Doubles(tensor);
        Closeness.Assert(tensor, actual, expected, (2 * relativeGap * Closeness.Scale(expected)) + (2 * Roundoff * Closeness.Scale(expected)));
    }

    private static double Largest(IEnumerable<double> differences) => differences.Max(Math.Abs);
}
