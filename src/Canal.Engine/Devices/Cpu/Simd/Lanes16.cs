using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>
/// Sixteen partial results of a reduction whatever the register's width: one register of 512 bits, two of 256, four of 128.
/// Element i of a run always goes to lane i mod 16 and lanes are combined in one fixed tree, so a reduction has the same
/// bits for every width. A run's last, partial block is padded: sums with zeros, which every lane adds alike.
/// </summary>
/// <typeparam name="TV">The register.</typeparam>
public unsafe struct Lanes16<TV> where TV : struct, IVector<TV>
{
    /// <summary>Lanes of every reduction.</summary>
    public const int Count = 16;
    private TV part0, part1, part2, part3;

    /// <summary>All lanes <paramref name="value"/>: 0 for sums, negative infinity for maxima.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16<TV> Create(float value)
    {
        var all = TV.Create(value);
        return new Lanes16<TV> { part0 = all, part1 = all, part2 = all, part3 = all };
    }

    /// <summary>The lanes in one to four registers, as the width needs; the others are ignored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16<TV> Of(TV part0, TV part1, TV part2, TV part3) => new() { part0 = part0, part1 = part1, part2 = part2, part3 = part3 };

    /// <summary>lane += x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Lanes16<TV> x)
    {
        part0 += x.part0;
        if (TV.Count < 16) part1 += x.part1;
        if (TV.Count >= 8) return;
        part2 += x.part2;
        part3 += x.part3;
    }

    /// <summary>lane = x · y + lane, with one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MultiplyAdd(Lanes16<TV> x, Lanes16<TV> y)
    {
        part0 = TV.FusedMultiplyAdd(x.part0, y.part0, part0);
        if (TV.Count < 16) part1 = TV.FusedMultiplyAdd(x.part1, y.part1, part1);
        if (TV.Count >= 8) return;
        part2 = TV.FusedMultiplyAdd(x.part2, y.part2, part2);
        part3 = TV.FusedMultiplyAdd(x.part3, y.part3, part3);
    }

    /// <summary>lane = max(lane, x); a NaN in x is passed over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Max(Lanes16<TV> x)
    {
        part0 = TV.Max(x.part0, part0);
        if (TV.Count < 16) part1 = TV.Max(x.part1, part1);
        if (TV.Count >= 8) return;
        part2 = TV.Max(x.part2, part2);
        part3 = TV.Max(x.part3, part3);
    }

    /// <summary>Sixteen consecutive floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16<TV> Load(float* source)
    {
        var lanes = default(Lanes16<TV>);
        lanes.part0 = TV.Load(source);
        if (TV.Count < 16) lanes.part1 = TV.Load(source + TV.Count);
        if (TV.Count >= 8) return lanes;
        lanes.part2 = TV.Load(source + (2 * TV.Count));
        lanes.part3 = TV.Load(source + (3 * TV.Count));
        return lanes;
    }

    /// <summary>The first <paramref name="count"/> (1 to 15) of sixteen floats, then <paramref name="padding"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16<TV> Load(float* source, int count, float padding)
    {
        var lanes = default(Lanes16<TV>);
        lanes.part0 = LoadPart(source, 0, count, padding);
        if (TV.Count < 16) lanes.part1 = LoadPart(source, TV.Count, count, padding);
        if (TV.Count >= 8) return lanes;
        lanes.part2 = LoadPart(source, 2 * TV.Count, count, padding);
        lanes.part3 = LoadPart(source, 3 * TV.Count, count, padding);
        return lanes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV LoadPart(float* source, int first, int count, float padding)
    {
        var part = TV.Load(source + first, count - first);
        return padding == 0 ? part : TV.Select(TV.LessThan(TV.Load(LaneIndex.Values + first), TV.Create(count)), part, TV.Create(padding));
    }

    /// <summary>Stores the sixteen lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(float* target)
    {
        TV.Store(part0, target);
        if (TV.Count < 16) TV.Store(part1, target + TV.Count);
        if (TV.Count >= 8) return;
        TV.Store(part2, target + (2 * TV.Count));
        TV.Store(part3, target + (3 * TV.Count));
    }

    /// <summary>The lanes' sum, by halves: i with i + 8, then + 4, + 2, + 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Sum()
    {
        Vector128<float> four;
        if (TV.Count == 16) four = Halve(Halve(Unsafe.BitCast<TV, Vector512<float>>(part0)));
        else if (TV.Count == 8) four = Halve(Unsafe.BitCast<TV, Vector256<float>>(part0 + part1));
        else four = Unsafe.BitCast<TV, Vector128<float>>((part0 + part2) + (part1 + part3));
        four += Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return four.GetElement(0) + four.GetElement(1);
    }

    /// <summary>The largest lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Max()
    {
        Vector128<float> four;
        if (TV.Count == 16)
        {
            var all = Unsafe.BitCast<TV, Vector512<float>>(part0);
            var (low, high) = (all.GetLower(), all.GetUpper());
            four = Larger(Larger(low.GetLower(), low.GetUpper()), Larger(high.GetLower(), high.GetUpper()));
        }
        else if (TV.Count == 8)
        {
            var (low, high) = (Unsafe.BitCast<TV, Vector256<float>>(part0), Unsafe.BitCast<TV, Vector256<float>>(part1));
            four = Larger(Larger(low.GetLower(), low.GetUpper()), Larger(high.GetLower(), high.GetUpper()));
        }
        else
        {
            four = Larger(
                Larger(Unsafe.BitCast<TV, Vector128<float>>(part0), Unsafe.BitCast<TV, Vector128<float>>(part1)),
                Larger(Unsafe.BitCast<TV, Vector128<float>>(part2), Unsafe.BitCast<TV, Vector128<float>>(part3)));
        }
        four = Larger(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Larger(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Halve(Vector512<float> x) => x.GetLower() + x.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Halve(Vector256<float> x) => x.GetLower() + x.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Larger(Vector128<float> a, Vector128<float> b) => Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), a, b);
}
