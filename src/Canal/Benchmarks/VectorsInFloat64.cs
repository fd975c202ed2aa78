using System.Numerics;
using System.Runtime.InteropServices;

namespace Canal.Benchmarks;

/// <summary>Sums over rows in float64, as wide as the processor's vectors.</summary>
internal static class VectorsInFloat64
{
    public static double Sum(ReadOnlySpan<double> x)
    {
        var sum = 0.0;
        foreach (var value in x) sum += value;
        return sum;
    }

    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var wideA = MemoryMarshal.Cast<double, Vector<double>>(a);
        var wideB = MemoryMarshal.Cast<double, Vector<double>>(b);
        var sums = Vector<double>.Zero;
        for (var i = 0; i < wideA.Length; i++) sums += wideA[i] * wideB[i];
        var sum = Vector.Sum(sums);
        for (var i = wideA.Length * Vector<double>.Count; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    public static void Add(Span<double> to, ReadOnlySpan<double> from) => AddScaled(to, from, 1);

    public static void AddScaled(Span<double> to, ReadOnlySpan<double> from, double factor)
    {
        var wideTo = MemoryMarshal.Cast<double, Vector<double>>(to);
        var wideFrom = MemoryMarshal.Cast<double, Vector<double>>(from);
        for (var i = 0; i < wideTo.Length; i++) wideTo[i] += wideFrom[i] * factor;
        for (var i = wideTo.Length * Vector<double>.Count; i < to.Length; i++) to[i] += from[i] * factor;
    }
}
