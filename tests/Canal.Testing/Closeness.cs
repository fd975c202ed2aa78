using System.Globalization;

namespace Canal.Testing;

/// <summary>Comparison element by element: prints the worst element and both values; NaN fails (style R27).</summary>
public static class Closeness
{
    /// <summary>Fails unless every |actual - expected| is at most <paramref name="allowed"/>.</summary>
    public static void Assert(string what, ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, double allowed)
    {
        var widened = new double[actual.Length];
        for (var i = 0; i < widened.Length; i++) widened[i] = actual[i];
        Assert(what, widened, expected, allowed);
    }

    /// <summary>Fails unless every |actual - expected| is at most <paramref name="allowed"/>.</summary>
    public static void Assert(string what, ReadOnlySpan<double> actual, ReadOnlySpan<double> expected, double allowed)
    {
        if (actual.Length != expected.Length) Xunit.Assert.Fail($"{what}: {actual.Length} elements instead of {expected.Length}.");
        var (worst, at) = (-1.0, -1);
        for (var i = 0; i < actual.Length; i++)
        {
            var error = Math.Abs(actual[i] - expected[i]);
            if (error <= worst) continue;
            (worst, at) = (error, i);
            if (double.IsNaN(error)) break;
        }
        if (at >= 0 && !(worst <= allowed))
        {
            Xunit.Assert.Fail(string.Create(CultureInfo.InvariantCulture,
                $"{what}: element {at} is {actual[at]:g9} instead of {expected[at]:g9}; error {worst:g3}, allowed {allowed:g3}."));
        }
    }

    /// <summary>The largest absolute value: the scale at which a float32 tensor's rounding is judged.</summary>
    public static double Scale(ReadOnlySpan<double> values)
    {
        var largest = 0.0;
        foreach (var value in values) largest = Math.Max(largest, Math.Abs(value));
        return largest;
    }
}
