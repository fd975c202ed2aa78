using System.Globalization;
using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Learning;
using Canal.Models;

namespace Canal.Cli.Commands;

/// <summary>Sentences that several commands say.</summary>
internal static class Say
{
    /// <summary>What was read from a data set, and its warnings.</summary>
    public static void Report(CommandContext context, DataSetReport report)
    {
        foreach (var line in report.Lines()) context.Error.WriteLine(SafeText.OneLine(line));
        foreach (var warning in report.Warnings) context.Error.WriteLine("warning: " + SafeText.OneLine(warning));
    }

    /// <summary>Why the CPU computes where a card would have been taken: one line, where there is one.</summary>
    public static void Device(CommandContext context, EngineOptions options)
    {
        if (options.DeviceNote is { } note) context.Error.WriteLine(SafeText.OneLine(note));
    }

    /// <summary>What a training run wrote.</summary>
    public static void Trained(CommandContext context, bool json, string output, AnnotationModel model, EpochRecord best, string schedule)
    {
        if (json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Model = output,
                    Kind = model.Kind,
                    model.Stages,
                    Types = model.Library.Names,
                    BankCells = model.Bank.Count,
                    BestEpoch = best.Epoch,
                    best.Loss,
                    best.ValidationAccuracy,
                    best.ValidationLoss,
                    Schedule = schedule,
                    model.Simulated,
                },
                JsonOutput.Options));
            return;
        }
        if (model.Simulated) context.Out.WriteLine("This model was made from simulated cells.");
        var accuracy = double.IsFinite(best.ValidationAccuracy)
            ? string.Create(CultureInfo.InvariantCulture, $", validation accuracy {100 * best.ValidationAccuracy:F1} %")
            : ", no validation cells";
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{SafeText.OneLine(output)}: best epoch {best.Epoch}{accuracy}; {schedule}"));
        if (model.Kind == ModelKind.Annotation)
        {
            context.Out.WriteLine(SafeText.OneLine(string.Create(CultureInfo.InvariantCulture,
                $"stage {model.Stages}; {model.Library.Count} cell types: {string.Join(", ", model.Library.Names)}; {model.Bank.Count} cells in the example bank")));
        }
    }
}
