using System.Globalization;
using Canal.Benchmarks;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Tests.Benchmarks;

/// <summary>The float64 gradient against central differences, and the devices' against it (style R28).</summary>
public sealed class GradientAccuracyTests
{
    private const int Genes = 24, Types = 3;
    private const double Smoothing = 0.1, Float32Sums = 16.0 / (1 << 24);

    private static AnnotationModel Model { get; } = StandIns.AfterStageOne(
        new ModelConfiguration { Genes = Genes, Width = 16, Blocks = 3, Heads = 2, HeadWidth = 64, Features = 44 }, Types, 0, seed: 6);

    // Every value of what is small, some of what is large.
    [Fact]
    public void InFloat64ItIsThatOfCentralDifferences()
    {
        var (float64, tokens) = (new ModelInFloat64(Model), Tokens(1)[0]);
        var gradients = new Dictionary<string, double[]>();
        float64.AddGradients(float64.Run(tokens), 1, Smoothing, 0.25, gradients);
        Assert.Equal(Model.Weights.Keys.Where(name => !name.EndsWith("projection_matrix", StringComparison.Ordinal)).Order(), gradients.Keys.Order());
        foreach (var (name, gradient) in gradients)
        {
            var weight = float64[name];
            int[] places = [.. Enumerable.Range(0, weight.Length).Where(i => i % Math.Max(1, weight.Length / 7) == 0).Append(Largest(gradient)).Distinct()];
            var kept = (double[])weight.Clone();
            CentralDifferences.Assert(name, [.. places.Select(i => gradient[i])], [.. places.Select(i => kept[i])], moved =>
            {
                for (var i = 0; i < places.Length; i++) weight[places[i]] = moved[i];
                return 0.25 * ModelInFloat64.Loss(float64.Run(tokens), 1, Smoothing);
            });
            kept.CopyTo(weight, 0);
            Assert.True(gradient.Max(Math.Abs) > 1e-6, $"{name}: no difference would be told from its gradient.");
        }
    }

    [Fact]
    public void TheProcessorsGradientsAreFloat32s()
    {
        var accuracy = Assert.Single(Measure([(CudaPrecision.Fp32, () => new CpuDevice(new CpuOptions { Threads = 2 }))]));
        Assert.Equal(["bin embedding", "block 0", "block 1", "block 2", "final norm", "gene embedding", "head"], accuracy.Gradients.Select(g => g.Group).Order());
        Assert.All(accuracy.Gradients, g => Assert.Equal("all", g.Trains));
        AssertExplained(accuracy);
    }

    [SkippableFact]
    public void TheGradientsOfEveryPrecisionOfACardAreWhatItsRoundingExplains()
    {
        EmulatedRuntime.Require();
        var results = Measure([.. CudaPrecision.All.Select(p => (p, (Func<Device>)(() => new CudaDevice(new EmulatedRuntime(workers: 2), new CudaOptions { Precision = p }))))]);
        foreach (var accuracy in results) AssertExplained(accuracy);
        Assert.Equal(["fp32", "tf32", "bf16", "f16"], results.Select(r => r.Precision));
        // f16 trains in float32; what it costs shows where frozen blocks come before.
        Assert.Equal(["all", "last-but-one"], results[3].Gradients.Select(g => g.Trains).Distinct());
        Assert.Equal(["block 1", "final norm", "head"], results[3].Gradients.Where(g => g.Trains == "last-but-one").Select(g => g.Group).Order());
        Assert.All(results[3].Gradients, g => Assert.True(g.Error.Rms > 1e-5 == (g.Trains == "last-but-one"), g.ToString()));
        Assert.All(results.Where(r => r.Precision is "tf32" or "bf16").SelectMany(r => r.Gradients), g => Assert.True(g.Error.Rms > 1e-5, g.ToString()));
    }

    // The comparison can fail: it sees one parameter of many that is off by a percent, and one that is not a number.
    [Fact]
    public void AFactorInOneParameterIsSeenAndTheParameterNamed()
    {
        using var cells = StandIns.Cells(Model.Panel, 2, 12, seed: 1);
        var exact = new ModelInFloat64(Model);
        RunInFloat64[] runs = [.. Tokens(2).Select(tokens => exact.Run(tokens))];
        var run = new GradientAccuracyRun(Model, exact, cells, runs, [1, 2], CancellationToken.None);
        var truth = new Dictionary<string, double[]>();
        for (var cell = 0; cell < 2; cell++) exact.AddGradients(runs[cell], cell + 1, Smoothing, 0.5, truth);
        string[] names = [.. truth.Keys.Where(name => name.StartsWith("to_out", StringComparison.Ordinal))];
        var measured = names.ToDictionary(name => name, name => Array.ConvertAll(truth[name], value => (float)value));
        Assert.InRange(run.Compare("all", "head", names, measured, truth).Error.Rms, 0, 1e-7);
        measured["to_out.fc2.weight"] = Array.ConvertAll(measured["to_out.fc2.weight"], value => 1.01f * value);
        var off = run.Compare("all", "head", names, measured, truth);
        Assert.Equal("to_out.fc2.weight", off.WorstParameter);
        Assert.Equal(0.01, off.WorstRms, 1e-4);
        Assert.InRange(off.Error.Rms, 1e-4, 1e-2);
        measured["to_out.fc1.weight"][0] = float.NaN;
        off = run.Compare("all", "head", names, measured, truth);
        Assert.Equal(("to_out.fc1.weight", double.NaN), (off.WorstParameter, off.Error.Rms));
    }

    // A representation unit that is on in float64 and off on the device, in each of two cells.
    [Fact]
    public void SwitchedUnitsAreCounted()
    {
        using var cells = StandIns.Cells(Model.Panel, 2, 12, seed: 1);
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var (on, off) = (WithUnit(10), WithUnit(-10));
        var exact = new ModelInFloat64(on);
        var run = new GradientAccuracyRun(on, exact, cells, [.. Tokens(2).Select(tokens => exact.Run(tokens))], [1, 2], CancellationToken.None);
        foreach (var (model, switched) in new[] { (on, 0), (off, 2) })
        {
            using var network = new CellTypeNetwork(device, model);
            Assert.All(run.Measure(network, CudaPrecision.Fp32, CancellationToken.None), g => Assert.Equal((switched, 0), (g.Switched, g.SwitchedByRounding)));
        }

        static AnnotationModel WithUnit(float bias)
        {
            var biases = (float[])Model.Weights["to_out.fc2.bias"].Clone();
            biases[0] = bias;
            return Model with { Weights = new Dictionary<string, float[]>(Model.Weights) { ["to_out.fc2.bias"] = biases } };
        }
    }

    // Rounded as written, to nearest with ties to even, by another route than bits.
    [Theory]
    [InlineData(DType.BFloat16, false, 7)]
    [InlineData(DType.Float16, false, 10)]
    [InlineData(DType.Float32, true, 10)]
    public void OperandsAreRoundedToTheBitsOfTheirType(DType type, bool tf32, int bits)
    {
        double[] values = [1, 1 + Math.ScaleB(1, -bits), 1 + Math.ScaleB(1, -bits - 1), 1 + Math.ScaleB(3, -bits - 1), -1.2345678, 345.678, 1.999999, 0, double.PositiveInfinity];
        var rounded = new RoundingInFloat64(type, tf32).Operand(values);
        for (var i = 0; i < values.Length; i++)
        {
            var unit = values[i] == 0 || double.IsInfinity(values[i]) ? 1 : Math.ScaleB(1, Math.ILogB(values[i]) - bits);
            Assert.Equal(Math.Round(values[i] / unit, MidpointRounding.ToEven) * unit, rounded[i]);
        }
        Assert.Same(values, RoundingInFloat64.Exact.Operand(values));
    }

    // Twice what is stored explains (style R26), and float32's own sums of some hundred terms. The cells are such that no ReLU switches, where the gradient
    // jumps.
    private static void AssertExplained(PrecisionAccuracy accuracy)
    {
        foreach (var g in accuracy.Gradients)
        {
            Assert.Equal((0, 0), (g.Switched, g.SwitchedByRounding));
            Assert.True(g.Error.Rms <= (2 * g.Rounding.Rms) + Float32Sums && g.Error.Largest <= (2 * g.Rounding.Largest) + Float32Sums,
                string.Create(CultureInfo.InvariantCulture, $"{accuracy.Precision}: {g}"));
            Assert.True(g.Rounding.Rms is > 1e-9 and < 0.01, $"{accuracy.Precision}: {g}");
        }
    }

    private static IReadOnlyList<PrecisionAccuracy> Measure(IReadOnlyList<(CudaPrecision, Func<Device>)> devices)
    {
        using var cells = StandIns.Cells(Model.Panel, 4, 12, seed: 1);
        return AccuracyBenchmark.Run(devices, Model, cells, 3, null, CancellationToken.None).Precisions;
    }

    private static byte[][] Tokens(int count)
    {
        using var cells = StandIns.Cells(Model.Panel, count, 12, seed: 1);
        return [.. Enumerable.Range(0, count).Select(cell =>
        {
            var tokens = new byte[Genes + 1];
            cells.Tokens.Expand(cell, tokens);
            return tokens;
        })];
    }

    private static int Largest(double[] values) => Array.IndexOf(values, values.MaxBy(Math.Abs));
}
