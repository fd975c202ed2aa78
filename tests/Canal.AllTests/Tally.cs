using System.Globalization;
using Xunit.Abstractions;

namespace Canal.AllTests;

/// <summary>Counts results, prints failures as they come and why tests were skipped at the end.</summary>
/// <param name="output">Where to.</param>
/// <param name="verbose">Whether to name every test.</param>
internal sealed class Tally(TextWriter output, bool verbose)
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, int> reasons = new(StringComparer.Ordinal);
    private int passed, skipped;

    /// <summary>Tests that were asked for.</summary>
    public int Chosen { get; set; }

    /// <summary>Tests that failed.</summary>
    public int Failed { get; private set; }

    /// <summary>A test passed.</summary>
    public void Pass(string name, decimal seconds)
    {
        lock (gate)
        {
            passed++;
            if (verbose) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ok      {name} ({seconds:F3} s)"));
        }
    }

    /// <summary>A test, or what surrounds it, failed.</summary>
    public void Fail(string name, IFailureInformation failure)
    {
        lock (gate)
        {
            Failed++;
            output.WriteLine($"FAILED  {name}");
            for (var i = 0; i < failure.Messages.Length; i++)
            {
                output.WriteLine($"        {failure.ExceptionTypes[i]}: {failure.Messages[i].ReplaceLineEndings("\n        ")}");
            }
            if (failure.StackTraces.FirstOrDefault() is { Length: > 0 } trace) output.WriteLine("        " + trace.ReplaceLineEndings("\n        "));
        }
    }

    /// <summary>A test was skipped.</summary>
    public void Skip(string name, string reason)
    {
        lock (gate)
        {
            skipped++;
            reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
            if (verbose) output.WriteLine($"skipped {name}: {reason}");
        }
    }

    /// <summary>Why tests were skipped, and the line that counts.</summary>
    public void Report()
    {
        foreach (var (reason, count) in reasons) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"skipped {count}: {reason}"));
        if (Chosen == 0) output.WriteLine("No test was chosen.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed} passed, {Failed} failed, {skipped} skipped"));
    }
}
