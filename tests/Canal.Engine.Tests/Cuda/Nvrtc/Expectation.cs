using Canal.Engine.Operations;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Seconds that attention is expected to take on tensor cores, by the shares that its kernels' headers state: beside the limit, which no kernel passes.</summary>
/// <param name="Shortest">At the highest shares.</param>
/// <param name="Longest">At the lowest.</param>
internal readonly record struct Expectation(double Shortest, double Longest)
{
    private const int HeadWidth = 64;

    /// <summary>What is expected of a run on a card; null where its headers state no share there. What they state no share for (merges, halves) is not in it.</summary>
    public static Expectation? Of(OperationRun run, Card card)
    {
        if (run.Attention is not { } sizes || run.Arithmetic != Arithmetic.TensorHalf) return null;
        var (shortest, longest) = (0.0, 0.0);
        foreach (var kernel in run.Launches.Select(launch => launch.Kernel).Distinct())
        {
            if (HeaderPrediction.Of(kernel) is not { } header) continue;
            if (header.On(card) is not { } share) return null;
            var seconds = header.Work * Rows(sizes) * HeadWidth / card.Half;
            (shortest, longest) = (shortest + (seconds / share.High), longest + (seconds / share.Low));
        }
        return longest > 0 ? new Expectation(shortest, longest) : null;
    }

    /// <summary>A job: attention as expected, all else at its limit.</summary>
    public static Expectation? Of(IReadOnlyList<OperationRun> runs, Card card)
    {
        var (shortest, longest, any) = (0.0, 0.0, false);
        foreach (var run in runs)
        {
            var limit = card.Seconds(run);
            var expected = Of(run, card);
            any |= expected is not null;
            (shortest, longest) = (shortest + Math.Max(limit, expected?.Shortest ?? 0), longest + Math.Max(limit, expected?.Longest ?? 0));
        }
        return any ? new Expectation(shortest, longest) : null;
    }

    /// <summary>As a range of times; one time where both ends read alike.</summary>
    public override string ToString() => Units.Time(Shortest) == Units.Time(Longest) ? Units.Time(Shortest) : $"{Units.Time(Shortest)} to {Units.Time(Longest)}";

    // Rows of features, padded as favor_tensor.cuh does, of all tokens and heads.
    private static double Rows(FavorSizes sizes) => (double)sizes.Cells * sizes.Tokens * sizes.Heads * ((sizes.Features + 16) / 16 * 16);
}
