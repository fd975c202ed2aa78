using Canal.Benchmarks;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Models;
using Canal.Planning;
using Canal.Testing.Emulator;

namespace Canal.Tests.Benchmarks;

public sealed class AccuracyBenchmarkTests
{
    private const int Genes = 40, Cells = 5, Types = 3;

    private static AnnotationModel Model { get; } = StandIns.AfterStageOne(
        new ModelConfiguration { Genes = Genes, Width = 24, Blocks = 2, Heads = 2, HeadWidth = 64, Features = 44 }, Types, 0, seed: 3);

    [Fact]
    public void TheProcessorIsAsAccurateAsFloat32_AndHasNoOtherPrecision()
    {
        var result = Run([(CudaPrecision.Fp32, () => new CpuDevice(new CpuOptions { Threads = 2 }))]);
        Assert.Equal((Cells, 4), (result.Cells, result.TruthCells));
        var only = Assert.Single(result.Precisions);
        Assert.Equal((1.0, 0), (only.Agreement, only.Others.Count));
        Assert.Null(only.Correct);
        Assert.Equal([0, 1], only.Blocks.Select(b => b.Block));
        AssertFloat32(only);
    }

    // What the processor computes with other weights is far from this model's truth: the comparison can fail.
    [Fact]
    public void AnotherModelsTruthIsFarAway()
    {
        var other = new ModelInFloat64(Model with { Weights = Model.Weights.ToDictionary(w => w.Key, w => w.Key.EndsWith("to_v.weight", StringComparison.Ordinal) ? Array.ConvertAll(w.Value, v => 1.01f * v) : w.Value) });
        var tokens = new byte[Genes + 1];
        using var cells = StandIns.Cells(Model.Panel, 1, 20, 1);
        cells.Tokens.Expand(0, tokens);
        var (truth, changed) = (new ModelInFloat64(Model).Run(tokens), other.Run(tokens));
        Assert.InRange(RelativeError.Of(Array.ConvertAll(changed.Attention[0], v => (float)v), truth.Attention[0]).Rms, 1e-3, 1e-1);
    }

    [SkippableFact]
    public void EveryPrecisionOfACardIsMeasured()
    {
        EmulatedRuntime.Require();
        var precisions = CudaPrecision.All;
        var result = Run([.. precisions.Select(p => (p, (Func<Device>)(() => new CudaDevice(new EmulatedRuntime(workers: 2), new CudaOptions { Precision = p }))))]);
        Assert.Equal(precisions.Select(p => p.Name), result.Precisions.Select(p => p.Precision));
        AssertFloat32(result.Precisions[0]);
        foreach (var coarse in result.Precisions.Skip(1))
        {
            // bf16 has 8 bits of fraction, tf32 and f16 11.
            var most = coarse.Precision == "bf16" ? 1.0 / 16 : 1.0 / 128;
            Assert.All(coarse.Blocks, b => Assert.True(b.Attention.Rms < most && b.Output.Rms < most, $"{coarse.Precision}: {b}"));
            Assert.All(coarse.Blocks, b => Assert.True(b.Attention.Rms > 1e-5, $"{coarse.Precision} cannot be so exact: {b}"));
            Assert.Equal(1 - ((double)coarse.Others.Count / Cells), coarse.Agreement, 1e-12);
        }
    }

    [Fact]
    public void LabelsThatChangeAreNamedWithTheirMargins()
    {
        var devices = 0;
        using var cells = StandIns.Cells(Model.Panel, 64, 20, 1);
        using var known = Labelled(cells, [.. Enumerable.Range(0, 64).Select(c => c % 4 - 1)]);
        var result = AccuracyBenchmark.Run([(CudaPrecision.Fp32, Open), (CudaPrecision.Fp32 with { Name = "again" }, Open)], Model, known, 1, null, CancellationToken.None);
        Assert.Equal(2, devices);
        Assert.Empty(result.Precisions[1].Others);
        Assert.Equal(result.Precisions[0].Correct, result.Precisions[1].Correct);
        Assert.InRange(result.Precisions[0].Correct!.Value, 0.01, 0.99);
        Assert.True(result.MedianMargin > 0);

        CpuDevice Open()
        {
            devices++;
            return new CpuDevice(new CpuOptions { Threads = 1 });
        }
    }

    [Fact]
    public void ABaseModelHasNoLabelsToCompare()
    {
        var model = StandIns.Base(Model.Configuration, 1);
        using var cells = StandIns.Cells(model.Panel, 2, 5, 1);
        Assert.Throws<UserException>(() => AccuracyBenchmark.Run([(CudaPrecision.Fp32, () => new CpuDevice(new CpuOptions()))], model, cells, 1, null, CancellationToken.None));
    }

    [Fact]
    public void NotANumberIsTheLargestErrorOfAll()
    {
        Assert.Equal(double.NaN, RelativeError.Of([1, float.NaN, 3], [1, 2, 3]).Largest);
        var error = RelativeError.Of([1, 2.5f, -4], [1, 2, -4]);
        Assert.Equal((0.5 / 4, Math.Sqrt(0.25 / 21)), (error.Largest, error.Rms));
    }

    private static AccuracyResult Run(IReadOnlyList<(CudaPrecision, Func<Device>)> devices)
    {
        using var cells = StandIns.Cells(Model.Panel, Cells, 20, seed: 1);
        return AccuracyBenchmark.Run(devices, Model, cells, 4, null, CancellationToken.None);
    }

    private static void AssertFloat32(PrecisionAccuracy accuracy)
    {
        foreach (var error in accuracy.Blocks.SelectMany(b => new[] { b.Attention, b.Output }).Append(accuracy.Logits))
        {
            Assert.InRange(error.Largest, 1e-9, 1e-5);
            Assert.InRange(error.Rms, 1e-9, 1e-5);
        }
    }

    private static PreparedCells Labelled(PreparedCells cells, int[] labels) => new()
    {
        Name = cells.Name, Panel = cells.Panel, Tokens = cells.Tokens, CellIds = cells.CellIds, Rows = cells.Rows, Labels = labels, Types = [.. Model.Library.Names],
        LowQuality = cells.LowQuality, Validation = cells.Validation, Report = cells.Report,
    };
}
