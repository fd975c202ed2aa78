using System.Globalization;
using Canal.Benchmarks;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Models;
using Canal.Planning;
using Canal.Testing.Emulator;

namespace Canal.Tests.Benchmarks;

/// <summary>
/// What each precision of a card is worth, measured where there is no card: CANAL_ACCURACY_MODEL and CANAL_ACCURACY_CELLS name a trained model and cells
/// prepared for it (canal bench --accuracy --save-cells), CANAL_ACCURACY_OUT the file to write; without them a model of random weights stands in.
/// </summary>
public sealed class EmulatedAccuracyTests
{
    [SkippableFact]
    public void LabelsAgreeWithFloat32WhereTheTopTwoAreNotClose()
    {
        EmulatedRuntime.Require();
        var path = Environment.GetEnvironmentVariable("CANAL_ACCURACY_MODEL");
        var model = path is null ? StandIns.AfterStageOne(new ModelConfiguration { Genes = 30, Width = 16, Blocks = 2, Heads = 1, HeadWidth = 64, Features = 44 }, 3, 0, seed: 5) : ModelFile.Load(path);
        using var cells = path is null ? StandIns.Cells(model.Panel, 20, 12, seed: 2) : CellsFile.Load(Environment.GetEnvironmentVariable("CANAL_ACCURACY_CELLS")!, model.Panel);
        var result = AccuracyBenchmark.Run(
            [.. CudaPrecision.All.Select(p => (p, (Func<Device>)(() => new CudaDevice(new EmulatedRuntime(workers: 2), new CudaOptions { Precision = p }))))], model, cells, 4, null, CancellationToken.None);
        if (Environment.GetEnvironmentVariable("CANAL_ACCURACY_OUT") is { } output) File.WriteAllLines(output, Lines(result));
        foreach (var precision in result.Precisions)
        {
            // A label changes only where its margin is within what rounding moves the logits by.
            Assert.All(precision.Others, other => Assert.True(other.MarginInFloat32 < 0.1 * result.MedianMargin, $"{precision.Precision}: {other}"));
        }
    }

    private static IEnumerable<string> Lines(AccuracyResult result)
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"{result.Cells} cells on the emulated card; the first {result.TruthCells} also in float64; median margin of the top two logits {result.MedianMargin:f2}");
        foreach (var p in result.Precisions)
        {
            var blocks = string.Join("; ", p.Blocks.Select(b => string.Create(CultureInfo.InvariantCulture, $"block {b.Block + 1} attention {b.Attention.Rms:e1}, output {b.Output.Rms:e1}")));
            yield return string.Create(CultureInfo.InvariantCulture, $"{p.Precision}: relative RMS error {blocks}; logits {p.Logits.Rms:e1}, at most {p.Logits.Largest:e1}; labels as in fp32 {100 * p.Agreement:f2} %, correct {100 * p.Correct:f2} %");
            if (p.Labels is not null) yield return $"    {p.Labels}";
            foreach (var g in p.Gradients) yield return string.Create(CultureInfo.InvariantCulture, $"    gradient, training {g.Trains}: {g.Group} {g.Error.Rms:e1}, rounding explains {g.Rounding.Rms:e1}; units switched {g.Switched}, by rounding {g.SwitchedByRounding}; worst {g.WorstParameter} {g.WorstRms:e1}");
            foreach (var o in p.Others) yield return string.Create(CultureInfo.InvariantCulture, $"    {o.InFloat32} became {o.Here}: margin {o.MarginInFloat32:f3} in fp32, {o.MarginHere:f3} here");
        }
    }
}
