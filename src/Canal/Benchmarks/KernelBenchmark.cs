using Canal.Engine.Devices;
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
internal sealed class KernelBenchmark(Device device, BenchmarkSettings settings, IProgress<LearningProgress>? progress, CancellationToken stop)
{
    // style.md asks for at least 30 runs of a kernel.
    private const int LeastRuns = 30, QuickRuns = 5;

    // Cells of an attention call: enough work for all workers, a tenth of a gigabyte.
    private const int AttentionCells = 4;
    private const long CopyBytes = 256L << 20;

    // Larger than any card's L2: what a kernel finds there is what a step before it would have left, nothing of its own.
    private const int FlushFloats = 64 << 20;

    // A product whose time is arithmetic alone, on any card.
    private const int LargeProduct = 8192;

    private readonly KernelChecks checks = new(device, settings.Model, settings.Seed);
    private readonly List<KernelResult> results = [];

    private int Runs => settings.Quick ? QuickRuns : LeastRuns;

    private DType Forward => device.ActivationType(training: false);

    private DType Training => device.ActivationType(training: true);

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
        if (device is CpuDevice cpu) Product(check, 768 * cpu.Workers.Threads, 192, 256);
        else Product(check, LargeProduct, LargeProduct, LargeProduct);
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
        using var x = Filled(new Shape(rows, model.FeedForwardWidth), type: Forward);
        using var y = Filled(x.Tensor.Shape, type: Forward);
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
        return 2e-9 * CopyBytes / Timing.Measure(() => device.Copy(to.Tensor, from.Tensor), 5, 0, stop, device.Seconds).Median;
    }

    private void Product(CheckResult check, int m, int n, int k)
    {
        using var a = Filled(new Shape(m, k), 1, Forward);
        using var b = Filled(new Shape(n, k), 2, Forward);
        using var c = Filled(new Shape(m, n), type: Forward);
        Time(new MatMul(c.Tensor, a.Tensor, b.Tensor, TransposeB: true), Invariant($"{m:N0} x {n:N0} x {k:N0}"), check);
    }

    private void Attention(FavorSizes sizes)
    {
        // Queries, keys, values and their output as inference has them; then all of them and the gradients as training does.
        Attention(sizes, Forward, (t, state, projection, size) => Time(new FavorForward(t[3], state, t[0], t[1], t[2], projection, sizes), size, checks.AttentionForward()));
        Attention(sizes, Training, (t, state, projection, size) =>
        {
            device.Run(new FavorForward(t[3], state, t[0], t[1], t[2], projection, sizes));
            Time(new FavorBackward(t[4], t[5], t[6], t[7], t[3], state, t[0], t[1], t[2], projection, sizes), size, checks.AttentionBackward());
        });
    }

    private void Attention(FavorSizes sizes, DType type, Action<Tensor[], FavorState, Tensor, string> time)
    {
        var rented = Enumerable.Range(0, 8).Select(i => Filled(sizes.Rows, i, type)).ToArray();
        var t = rented.Select(r => r.Tensor).ToArray();
        using var projection = Filled(new Shape(sizes.Features, sizes.HeadWidth), rented.Length);
        using var state = new StateMemory(device, sizes);
        var size = Invariant($"{sizes.Cells} x {sizes.Tokens:N0} tokens, {sizes.Heads} heads of {sizes.HeadWidth}, {sizes.Features} features");
        time(t, state.State, projection.Tensor, size);
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
        using var y = Filled(x.Tensor.Shape, type: Forward);
        using var dx = Filled(x.Tensor.Shape);
        using var dy = Filled(x.Tensor.Shape, 2, Training);
        using var gamma = Filled(new Shape(width));
        using var beta = Filled(new Shape(width));
        using var mean = Filled(new Shape(rows));
        using var rstd = Filled(new Shape(rows));
        var size = Invariant($"{rows:N0} x {width}");
        Time(new LayerNormForward(y.Tensor, mean.Tensor, rstd.Tensor, x.Tensor, gamma.Tensor, beta.Tensor, LayerNorm.Epsilon), size, checks.NormForward());
        Time(new LayerNormBackward(dx.Tensor, Tensor.None, Tensor.None, dy.Tensor, x.Tensor, mean.Tensor, rstd.Tensor, gamma.Tensor, Accumulate: false), size, checks.NormBackward());
    }

    private void Time<TOp>(TOp operation, string size, CheckResult check) where TOp : struct, IOperation
    {
        stop.ThrowIfCancellationRequested();
        progress?.Report(LearningProgress.Say($"{TOp.Name}, {size}"));
        var description = new OperationDescription(device.Kind);
        operation.Describe(ref description);
        var (flops, bytes) = (description.Flops, description.Bytes);
        using var flushed = device.Kind == DeviceKind.Cuda ? new Rented(device.Allocate(new Shape(FlushFloats))) : null;
        Action? flush = flushed is null ? null : () => device.Run(new Fill(flushed.Tensor, 0f));
        var timing = check.Passed ? Timing.Measure(() => device.Run(in operation), Runs, Seconds, stop, device.Seconds, flush) : null;
        if (device.Kind == DeviceKind.Cuda) size += $", {TypeName(description)}";
        results.Add(new KernelResult(TOp.Name, size, check, flops, bytes, timing));
    }

    // Small normal values: what a warm model holds, and no denormals.
    private Rented Filled(Shape shape, int stream = -1, DType type = DType.Float32)
    {
        if (type != DType.Float32)
        {
            using var values32 = Filled(shape, stream);
            var rounded = device.Allocate(type, shape);
            device.Run(new Engine.Operations.Convert(rounded, values32.Tensor));
            return new Rented(rounded);
        }
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

    private static string TypeName(in OperationDescription description)
    {
        foreach (ref readonly var use in description.Uses)
        {
            if (use.Type is DType.Float16 or DType.BFloat16) return use.Type == DType.Float16 ? "f16" : "bf16";
        }
        return "fp32";
    }

    private sealed record Rented(Tensor Tensor) : IDisposable
    {
        public void Dispose() => Tensor.Storage.Dispose();
    }
}
