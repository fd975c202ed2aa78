using Canal.Cli.Terminal;
using static System.FormattableString;

namespace Canal.Cli.Commands;

/// <summary>How the measurement of memory is said.</summary>
internal static class MemoryTable
{
    /// <summary>The rows as a table.</summary>
    public static void Write(TextWriter output, IReadOnlyList<MemoryRow> rows)
    {
        TextTable.Write(output, ["command", "cells", "data", "of limit", "limit", "process", "kept", "planned", "off by", "pool", "planned pool", "off by"], rows.Select(r => (IReadOnlyList<string>)
        [
            r.Command,
            Invariant($"{r.Cells:N0}"),
            Sizes.Format(r.DataBytes),
            r.Limit is { } limit ? Invariant($"{(double)r.DataBytes / limit:F1} x") : "-",
            Size(r.Limit),
            Size(r.Process),
            r.Limit is { } most ? r.Process <= most ? "yes" : "NO" : "-",
            Size(r.PlannedProcess),
            Off(r.PlannedProcess, r.Process),
            Size(r.Pool),
            Size(r.PlannedPool),
            Off(r.PlannedPool, r.Pool),
        ]));
        output.WriteLine("data: the matrix as AnnData holds it (CSR, float32 values, int32 indices). process: most resident memory of the whole process. planned: canal plan, before the job.");
    }

    private static string Size(long? bytes) => bytes is { } known ? Sizes.Format(known) : "-";

    private static string Off(long? planned, long? measured) => planned is { } p && measured is > 0 and { } m ? Invariant($"{100.0 * (p - m) / m:+0.0;-0.0;0.0} %") : "-";
}
