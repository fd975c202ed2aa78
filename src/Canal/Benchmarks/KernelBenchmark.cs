using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Random;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Planning;
using static System.FormattableString;

namespace Canal.Benchmarks;

/// <summary>Times single operations at the model's sizes; none whose check is red.</summary>
internal sealed class KernelBenchmark(CpuDevice device, BenchmarkSettings settings, IProgress<LearningProgress>? progress, CancellationToken stop)
{
    // style.md asks for at least 30 runs of a kernel.
    private const int LeastRuns = 30, QuickRuns = 5;

    // Cells of an attention call: enough work for all workers, a tenth of a gigabyte.
    private const int AttentionCells = 4;
    private const long CopyBytes = 256L << 20;

    private readonly KernelChecks checks = new(device, settings.Model, settings.Seed);
    private readonly List<KernelResult> results = [];

    private int Runs => settings.Quick ? QuickRuns : LeastRuns;

    private double Seconds => settings.Quick ? 0.1 : 0.5;

    /// <summary>Products of a training step and of attention, and one whose operands stay in cache.</summary>
    public IReadOnlyList<KernelResult> Products()
    {
        var model = settings.Model.Encoder();
        var rows = settings.Batch * model.Positions;
        var check = checks.Product();
        Product(check, rows, model.InnerWidth, model.Width);
        Product(check, rows, model.Width, model.InnerWidth);
        Product(check, rows, model.FeedForwardWidth, model.Width);
        Product(check, rows, model.Width, model.FeedForwardWidth);
        Product(check, model.Positions, model.Features, model.HeadWidth);
        Product(check, 768 * device.Workers.Threads, 192, 256);
        return results;
    }

    /// <summary>Everything else.</summary>
    public IReadOnlyList<KernelResult> Others()
    {
        results.Clear();
        var model = settings.Model.Encoder();
        var rows = settings.Batch * model.Positions;
        Attention(model.Attention(new EncoderPass(AttentionCells)));
        Block(model);
        Norm(rows, model.Width);
        using var x = Filled(new Shape(rows, model.FeedForwardWidth));
        using var y = Filled(x.Tensor.Shape);
        Time(new GeluForward(y.Tensor, x.Tensor), Invariant($"{rows:N0} x {model.FeedForwardWidth}"), checks.Gelu());
        return results;
    }

    /// <summary>The checks of everything else, without times.</summary>
    public IReadOnlyList<KernelResult> ChecksOfOthers()
    {
        (string Name, Func<CheckResult> Check)[] all =
        [
            (FavorForward.Name, checks.AttentionForward), (FavorBackward.Name, checks.AttentionBackward), (EncoderBlockForward.Name, checks.Block),
            (LayerNormForward.Name, checks.NormForward), (LayerNormBackward.Name, checks.NormBackward), (GeluForward.Name, checks.Gelu),
        ];
        return [.. all.Select(kernel => new KernelResult(kernel.Name, "", kernel.Check(), 0, 0, null))];
    }

    /// <summary>Bytes that a copy reads and writes, 10^9 a second.</summary>
    public double CopyGigabytesPerSecond()
    {
        using var from = Filled(new Shape((int)(CopyBytes / sizeof(float))));
        using var to = Filled(from.Tensor.Shape);
        return 2e-9 * CopyBytes / Timing.Measure(() => device.Copy(to.Tensor, from.Tensor), 5, 0, stop).Median;
    }

    private void Product(CheckResult check, int m, int n, int k)
    {
        using var a = Filled(new Shape(m, k));
        using var b = Filled(new Shape(n, k));
        using var c = Filled(new Shape(m, n));
        Time(new MatMul(c.Tensor, a.Tensor, b.Tensor, TransposeB: true), Invariant($"{m:N0} x {n:N0} x {k:N0}"), check);
    }

    private void Attention(FavorSizes sizes)
    {
        var rented = Enumerable.Range(0, 8).Select(i => Filled(sizes.Rows, i)).ToArray();
        var t = rented.Select(r => r.Tensor).ToArray();
        using var projection = Filled(new Shape(sizes.Features, sizes.HeadWidth), rented.Length);
        using var state = new StateMemory(device, sizes);
        var size = Invariant($"{sizes.Cells} x {sizes.Tokens:N0} tokens, {sizes.Heads} heads of {sizes.HeadWidth}, {sizes.Features} features");
        Time(new FavorForward(t[3], state.State, t[0], t[1], t[2], projection.Tensor, sizes), size, checks.AttentionForward());
        Time(new FavorBackward(t[4], t[5], t[6], t[7], t[3], state.State, t[0], t[1], t[2], projection.Tensor, sizes), size, checks.AttentionBackward());
        foreach (var tensor in rented) tensor.Dispose();
    }

    private void Block(EncoderGeometry model)
    {
        using var parameters = StandIns.Fresh(settings.Model with { Blocks = 1 }, settings.Seed).CreateParameters(device);
        var block = new EncoderBlock(parameters, (settings.Model with { Blocks = 1 }).Encoder(), 0);
        using var x = Filled(new Shape(AttentionCells * model.Positions, model.Width), 1);
        using var y = Filled(x.Tensor.Shape);
        Time(block.Fused(y.Tensor, x.Tensor, new EncoderPass(AttentionCells)), Invariant($"{AttentionCells} x {model.Positions:N0} tokens"), checks.Block());
    }

    private void Norm(int rows, int width)
    {
        using var x = Filled(new Shape(rows, width), 1);
        using var y = Filled(x.Tensor.Shape);
        using var dy = Filled(x.Tensor.Shape, 2);
        using var gamma = Filled(new Shape(width));
        using var beta = Filled(new Shape(width));
        using var mean = Filled(new Shape(rows));
        using var rstd = Filled(new Shape(rows));
        var size = Invariant($"{rows:N0} x {width}");
        Time(new LayerNormForward(y.Tensor, mean.Tensor, rstd.Tensor, x.Tensor, gamma.Tensor, beta.Tensor, LayerNorm.Epsilon), size, checks.NormForward());
        Time(new LayerNormBackward(y.Tensor, Tensor.None, Tensor.None, dy.Tensor, x.Tensor, mean.Tensor, rstd.Tensor, gamma.Tensor, Accumulate: false), size, checks.NormBackward());
    }

    private void Time<TOp>(TOp operation, string size, CheckResult check) where TOp : struct, IOperation
    {
        stop.ThrowIfCancellationRequested();
        progress?.Report(LearningProgress.Say($"{TOp.Name}, {size}"));
        var description = default(OperationDescription);
        operation.Describe(ref description);
        var (flops, bytes) = (description.Flops, description.Bytes);
        var timing = check.Passed ? Timing.Measure(() => device.Run(in operation), Runs, Seconds, stop) : null;
        results.Add(new KernelResult(TOp.Name, size, check, flops, bytes, timing));
    }

    // Small normal values: what a warm model holds, and no denormals.
    private Rented Filled(Shape shape, int stream = -1)
    {
        var tensor = device.Allocate(shape);
        device.Run(new Fill(tensor, 0.5f));
        if (stream >= 0)
        {
            var draws = new RandomSequence(settings.Seed, RandomPurpose.Testing, stage: 2, index: stream);
            var values = new float[shape.Count];
            // A stretch of draws, repeated: what is timed does not depend on values.
            for (var i = 0; i < values.Length; i++) values[i] = i < 4096 ? (float)draws.NextNormal() : values[i % 4093];
            device.Write<float>(tensor, values);
        }
        return new Rented(tensor);
    }

    private sealed record Rented(Tensor Tensor) : IDisposable
    {
        public void Dispose() => Tensor.Storage.Dispose();
    }
}
