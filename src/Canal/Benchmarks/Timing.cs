using System.Diagnostics;

namespace Canal.Benchmarks;

/// <summary>Seconds that something took, of several runs after a first one that warmed up.</summary>
/// <param name="Runs">Runs timed.</param>
/// <param name="Median">Median.</param>
/// <param name="P95">The value that 95 % of the runs stay below (of few runs, the slowest).</param>
/// <param name="Best">The fastest: what the machine does when nothing disturbs it.</param>
public sealed record Timing(int Runs, double Median, double P95, double Best)
{
    // The runtime compiles a loop for speed only after it has run for a while.
    private const double WarmSeconds = 0.3;

    /// <summary>From the seconds of single runs.</summary>
    public static Timing Of(IReadOnlyList<double> seconds)
    {
        if (seconds is not { Count: > 0 }) throw new ArgumentException("There is no run to report.", nameof(seconds));
        var sorted = seconds.Order().ToArray();
        return new Timing(sorted.Length, sorted[sorted.Length / 2], sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(0.95 * sorted.Length) - 1)], sorted[0]);
    }

    /// <summary>Runs to warm up, at least once, then until both so many runs and so much time have passed.</summary>
    /// <param name="run">What is timed.</param>
    /// <param name="leastRuns">Fewest runs.</param>
    /// <param name="leastSeconds">Least time.</param>
    /// <param name="stop">Stops between two runs.</param>
    /// <param name="clock">Runs once and tells the seconds; null for the clock on the wall.</param>
    /// <param name="before">Done before each run and not timed; may be null.</param>
    public static Timing Measure(Action run, int leastRuns, double leastSeconds, CancellationToken stop, Func<Action, double>? clock = null, Action? before = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        clock ??= OnTheWall;
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            run();
            if (Stopwatch.GetElapsedTime(start).TotalSeconds >= Math.Min(WarmSeconds, leastSeconds)) break;
        }
        var seconds = new List<double>();
        for (var total = 0.0; seconds.Count < leastRuns || total < leastSeconds; total += seconds[^1])
        {
            stop.ThrowIfCancellationRequested();
            before?.Invoke();
            seconds.Add(clock(run));
        }
        return Of(seconds);
    }

    private static double OnTheWall(Action run)
    {
        var from = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(from).TotalSeconds;
    }
}
