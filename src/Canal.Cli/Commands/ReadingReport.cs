using System.Globalization;
using Canal.Benchmarks;
using Canal.Cli.Terminal;
using static System.FormattableString;

namespace Canal.Cli.Commands;

/// <summary>How the benchmark of reading is said.</summary>
internal static class ReadingReport
{
    /// <summary>The results as JSON takes them.</summary>
    public static IEnumerable<object> Document(IReadOnlyList<ReadingResult> results) =>
        results.Select(r => new { r.Cells, r.Genes, r.Entries, r.FileBytes, r.Seconds, r.CellsPerSecond, PeakProcessBytes = r.ProcessBytes });

    /// <summary>The results for people.</summary>
    public static void Write(TextWriter output, IReadOnlyList<ReadingResult> results)
    {
        TextTable.Write(output, ["reading, to tokens", "genes", "genes a cell", "file", "as AnnData holds it", "seconds", "cells/s", "memory"], results.Select(r => (IReadOnlyList<string>)
        [
            Invariant($"{r.Cells:N0} cells"),
            r.Genes.ToString("N0", CultureInfo.InvariantCulture),
            Invariant($"{(double)r.Entries / r.Cells:N0}"),
            Sizes.Format(r.FileBytes),
            // float32 values and int32 indices.
            Sizes.Format(8.0 * r.Entries),
            Invariant($"{r.Seconds:F2}"),
            Invariant($"{r.CellsPerSecond:N0}"),
            r.ProcessBytes is { } bytes ? Sizes.Format(bytes) : "n/a",
        ]));
        output.WriteLine("Compressed CSR (gzip, chunks), simulated, in the system's file cache: found the counts, judged the cells, aligned the genes, binned; two passes over the file. memory: most that the program and the process that reads for it took together.");
    }
}
