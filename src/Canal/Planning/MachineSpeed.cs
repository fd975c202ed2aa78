using System.Diagnostics;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Models;

namespace Canal.Planning;

/// <summary>
/// How fast this machine runs the operations that a job is made of, timed in a second or two at the model's own sizes: the products, FAVOR+
/// forward and backward and the fused encoder block by their floating-point operations, everything else by the bytes it moves.
/// </summary>
public sealed record MachineSpeed
{
    // Rows of a timed operation: enough for all caches to be left behind, little enough to take milliseconds.
    private const int TimedRows = 4096;
    private const double SecondsEach = 0.2;

    /// <summary>10^9 floating-point operations a second, by the operation's name.</summary>
    public required IReadOnlyDictionary<string, double> GigaflopsPerSecond { get; init; }

    /// <summary>Bytes a second that an element-wise operation moves.</summary>
    public required double BytesPerSecond { get; init; }

    /// <summary>Measures.</summary>
    /// <param name="device">The device.</param>
    /// <param name="configuration">The model whose sizes are timed.</param>
    /// <param name="batch">Cells of a batch of the job.</param>
    public static MachineSpeed Measure(Device device, ModelConfiguration configuration, int batch)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(configuration);
        var geometry = configuration.Encoder();
        var cells = Math.Clamp(TimedRows / geometry.Positions, 1, batch);
        var rates = new Dictionary<string, double>(StringComparer.Ordinal);
        using var buffers = new Buffers(device);
        TimeProduct(device, buffers, Math.Min(TimedRows, cells * geometry.Positions), geometry, rates);
        var sizes = geometry.Attention(new EncoderPass(cells));
        TimeAttention(device, buffers, sizes, rates);
        TimeBlock(device, buffers, geometry, sizes, rates);
        var (x, y) = (buffers.Filled(sizes.Rows), buffers.Filled(sizes.Rows));
        return new MachineSpeed { GigaflopsPerSecond = rates, BytesPerSecond = 3.0 * x.Bytes / Seconds(device, () => device.Run(new Add(y, x))) };
    }

    /// <summary>Seconds that work takes on this machine.</summary>
    public double Seconds(PlannedWork work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return work.Totals.Sum(t => GigaflopsPerSecond.TryGetValue(t.Key, out var rate) ? 1e-9 * t.Value.Flops / rate : t.Value.Bytes / BytesPerSecond);
    }

    private static void TimeProduct(Device device, Buffers buffers, int rows, EncoderGeometry geometry, Dictionary<string, double> rates)
    {
        var type = device.ActivationType(training: false);
        var product = new MatMul(
            buffers.Filled(new Shape(rows, geometry.InnerWidth), type), buffers.Filled(new Shape(rows, geometry.Width), type), buffers.Filled(new Shape(geometry.InnerWidth, geometry.Width), type),
            TransposeB: true);
        rates[MatMul.Name] = 2e-9 * product.M * product.N * product.K / Seconds(device, () => device.Run(in product));
    }

    private static void TimeAttention(Device device, Buffers buffers, FavorSizes sizes, Dictionary<string, double> rates)
    {
        var type = device.ActivationType(training: true);
        Tensor Rows() => buffers.Filled(sizes.Rows, type);
        var (q, k, v, output, dOut, dq, dk, dv) = (Rows(), Rows(), Rows(), Rows(), Rows(), Rows(), Rows(), Rows());
        var projection = buffers.Filled(new Shape(sizes.Features, sizes.HeadWidth));
        var state = new FavorState(
            buffers.Filled(new Shape(sizes.Cells, sizes.Heads, sizes.Features, sizes.HeadWidth)), buffers.Filled(new Shape(sizes.Cells, sizes.Heads, sizes.Features)),
            buffers.Filled(new Shape(sizes.Cells, sizes.Heads, sizes.HeadWidth)), buffers.Filled(new Shape(sizes.Maxima)), buffers.Raw(DType.Int32, new Shape(sizes.Maxima, 4)));
        var forward = new FavorForward(output, state, q, k, v, projection, sizes);
        var backward = new FavorBackward(dq, dk, dv, dOut, output, state, q, k, v, projection, sizes);
        rates[FavorForward.Name] = 1e-9 * FavorForward.Flops(sizes) / Seconds(device, () => device.Run(in forward));
        rates[FavorBackward.Name] = 1e-9 * FavorBackward.Flops(sizes) / Seconds(device, () => device.Run(in backward));
        rates[GeneAttention.Name] = rates[FavorForward.Name];
    }

    private static void TimeBlock(Device device, Buffers buffers, EncoderGeometry geometry, FavorSizes sizes, Dictionary<string, double> rates)
    {
        var (c, inner, f) = (geometry.Width, geometry.InnerWidth, geometry.FeedForwardWidth);
        var type = device.ActivationType(training: false);
        Tensor Of(params int[] sizes) => buffers.Filled(sizes.Length == 1 ? new Shape(sizes[0]) : new Shape(sizes[0], sizes[1]));
        Tensor Operand(int rows, int columns) => buffers.Filled(new Shape(rows, columns), type);
        var weights = new EncoderBlockWeights(
            Of(c), Of(c), Operand(inner, c), Operand(inner, c), Operand(inner, c), Operand(c, inner), Of(c), Of(c), Of(c), Operand(f, c), Of(f), Operand(c, f), Of(c), Of(sizes.Features, sizes.HeadWidth));
        var (x, y) = (Of(sizes.Cells * sizes.Tokens, c), Of(sizes.Cells * sizes.Tokens, c));
        var block = new EncoderBlockForward(y, x, weights, sizes, LayerNorm.Epsilon);
        var before = device.FlopsRun;
        device.Run(in block);
        rates[EncoderBlockForward.Name] = 1e-9 * (device.FlopsRun - before) / Seconds(device, () => device.Run(in block));
    }

    // The median: a plan should hold on the machine as it is, with whatever else runs on it.
    private static double Seconds(Device device, Action run)
    {
        run();
        var times = new List<double>();
        for (var start = Stopwatch.GetTimestamp(); times.Count < 3 || Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsEach;)
        {
            times.Add(device.Seconds(run));
        }
        times.Sort();
        return times[times.Count / 2];
    }

    private sealed class Buffers(Device device) : IDisposable
    {
        private const float Value = 0.03125f;
        private readonly List<Tensor> rented = [];

        public Tensor Raw(DType type, Shape shape)
        {
            rented.Add(device.Allocate(type, shape));
            return rented[^1];
        }

        public Tensor Filled(Shape shape, DType type = DType.Float32)
        {
            var tensor = Raw(type, shape);
            device.Run(new Fill(tensor, Value));
            return tensor;
        }

        public void Dispose()
        {
            foreach (var tensor in rented) tensor.Storage.Dispose();
        }
    }
}
