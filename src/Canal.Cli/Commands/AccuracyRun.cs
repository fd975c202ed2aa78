using System.Text.Json;
using Canal.Benchmarks;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Learning;
using Canal.Models;

namespace Canal.Cli.Commands;

/// <summary><c>canal bench --accuracy</c>: opens the device in each of its precisions and measures them.</summary>
internal sealed class AccuracyRun(BenchCommand options)
{
    /// <summary>Measures and prints.</summary>
    public int Run(CommandContext context)
    {
        if (options.Precision != "auto") throw new UserException("--accuracy measures every precision of the device; leave --precision out");
        var modelPath = options.Model ?? InBundle("model", "annotation.safetensors");
        var dataPath = options.Data ?? InBundle("data", "cells.safetensors");
        var isCells = IsCells(dataPath);
        if (isCells && (options.Label is not null || options.SaveCells is not null)) throw new UserException($"{dataPath}: these are prepared cells with their labels; --label and --save-cells are for .h5ad");
        if (options.SaveCells is not null) OutputFile.CheckModel(options.SaveCells, [dataPath, modelPath]);
        var model = ModelFile.Load(modelPath);
        using var cells = isCells ? CellsFile.Load(dataPath, model.Panel) : Prepare(context, dataPath, model);
        if (options.SaveCells is not null) CellsFile.Save(cells, options.SaveCells);
        using var progress = new ProgressPrinter(context);
        var result = AccuracyBenchmark.Run(Precisions(), model, cells, AccuracyBenchmark.DefaultTruthCells, options.Json ? null : progress, context.Stop);
        progress.Dispose();
        Say.Device(context, options);
        if (options.Json) context.Out.WriteLine(JsonSerializer.Serialize(AccuracyReport.Document(result), JsonOutput.Options));
        else AccuracyReport.Write(context.Out, result);
        return ExitCodes.Done;
    }

    private List<(CudaPrecision, Func<Device>)> Precisions()
    {
        using var first = options.OpenDevice();
        if (first is not CudaDevice card) return [(CudaPrecision.Fp32, () => Open(CudaPrecision.Fp32))];
        var architecture = card.Runtime.Architecture;
        return [.. CudaPrecision.All.Where(p => p.Fits(architecture)).Select(p => (p, (Func<Device>)(() => Open(p))))];
    }

    private Device Open(CudaPrecision precision)
    {
        var (choice, cpu) = options.ChosenDevice();
        return (choice with { Precision = precision }).Open(cpu, out _);
    }

    private PreparedCells Prepare(CommandContext context, string path, AnnotationModel model)
    {
        using var reader = DataSetReader.Open(path, new DataSetSettings { Label = options.Label, SkipUnlabelled = true, KeepLowQuality = true, Cancel = context.Stop });
        var cells = DataSets.Annotate(reader, model);
        Say.Report(context, cells.Report);
        return cells;
    }

    private static bool IsCells(string path) => Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase);

    // Where scripts/bundle.sh puts them: beside the folder of the program.
    private static string InBundle(string option, string name)
    {
        var path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "data", name));
        return File.Exists(path) ? path : throw new UserException($"--accuracy needs --{option}: only a bundle (make bundle) brings one of its own");
    }
}
