using System.Diagnostics;
using System.Globalization;
using Canal.Learning;

namespace Canal.Cli.Terminal;

/// <summary>Shows long work: one line rewritten in place at a terminal, a plain line now and then elsewhere; notes always.</summary>
internal sealed class ProgressPrinter(CommandContext context) : IProgress<LearningProgress>, IDisposable
{
    private static readonly TimeSpan TerminalInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(15);
    private readonly Stopwatch sinceShown = Stopwatch.StartNew();
    private int shownLength;

    /// <inheritdoc/>
    public void Report(LearningProgress value)
    {
        if (value.Phase == LearningPhase.Note)
        {
            Erase();
            context.Error.WriteLine(SafeText.OneLine(value.Message ?? string.Empty));
            return;
        }
        if (sinceShown.Elapsed < (context.Interactive ? TerminalInterval : PlainInterval)) return;
        sinceShown.Restart();
        var line = SafeText.OneLine(Line(value));
        if (!context.Interactive)
        {
            context.Error.WriteLine(line);
            return;
        }
        context.Error.Write("\r" + line.PadRight(shownLength));
        shownLength = line.Length;
    }

    /// <summary>Clears the progress line.</summary>
    public void Dispose() => Erase();

    private void Erase()
    {
        if (shownLength == 0) return;
        context.Error.Write("\r" + new string(' ', shownLength) + "\r");
        shownLength = 0;
    }

    private static string Line(LearningProgress value)
    {
        var text = value.Phase.ToString().ToLowerInvariant();
        if (value.Epoch > 0) text += string.Create(CultureInfo.InvariantCulture, $" epoch {value.Epoch}");
        text += value.Total > 0
            ? string.Create(CultureInfo.InvariantCulture, $": {value.Done:N0} of {value.Total:N0} cells")
            : string.Create(CultureInfo.InvariantCulture, $": {value.Done:N0} cells");
        if (double.IsFinite(value.CellsPerSecond) && value.CellsPerSecond > 0)
        {
            text += string.Create(CultureInfo.InvariantCulture, $", {value.CellsPerSecond:G3} cells/s");
            if (value.Total > value.Done) text += ", " + Duration.Format((value.Total - value.Done) / value.CellsPerSecond) + " left";
        }
        if (double.IsFinite(value.Loss)) text += string.Create(CultureInfo.InvariantCulture, $", loss {value.Loss:F4}");
        if (double.IsFinite(value.ValidationAccuracy)) text += string.Create(CultureInfo.InvariantCulture, $", validation accuracy {value.ValidationAccuracy:P1}");
        return value.Message is null ? text : text + " (" + value.Message + ")";
    }
}
