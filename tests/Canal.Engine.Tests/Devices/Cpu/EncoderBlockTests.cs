using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Devices.Cpu;

/// <summary>
/// The fused encoder block gives the bits of its single operations, which are tested against float64 and golden values on their own; and
/// the same bits for every vector width, thread count and batch, and in place.
/// </summary>
public sealed class EncoderBlockTests
{
    private const float NormEpsilon = 1e-5f;

    /// <summary>Cells, tokens, channels, heads, head width, features, hidden: a lone token, edges of tiles and splits, the model's own geometry.</summary>
    public static TheoryData<int, int, int, int, int, int, int> Geometries => new()
    {
        { 1, 1, 7, 1, 5, 3, 9 }, { 2, 65, 24, 3, 8, 19, 50 }, { 3, 257, 33, 2, 16, 44, 31 }, { 2, 530, 200, 10, 64, 266, 800 },
    };

    [Theory, MemberData(nameof(Geometries))]
    public void Bits_AreThoseOfTheSingleOperations(int cells, int tokens, int channels, int heads, int width, int features, int hidden)
    {
        using var block = new Block(new CpuOptions { Threads = 2 }, cells, tokens, channels, heads, width, features, hidden);
        var single = block.RunSingleOperations();
        AssertSameBits("fused", single, block.RunFused(inPlace: false));
        AssertSameBits("fused in place", single, block.RunFused(inPlace: true));
        Assert.All(single, v => Assert.True(float.IsFinite(v)));
    }

    [Theory, InlineData(2, 300, 40, 3, 16, 44, 70)]
    public void Bits_DoNotDependOnWidthOrThreads(int cells, int tokens, int channels, int heads, int width, int features, int hidden)
    {
        float[]? first = null;
        foreach (var bits in (int[])[512, 256, 128])
        {
            foreach (var threads in (int[])[1, 2, 3, 7])
            {
                using var block = new Block(new CpuOptions { Threads = threads, VectorBits = bits }, cells, tokens, channels, heads, width, features, hidden);
                var values = block.RunFused(inPlace: false);
                AssertSameBits($"{bits} bits, {threads} threads", first ??= values, values);
            }
        }
    }

    [Theory, InlineData(14, 70, 24, 2, 16, 44, 33)]
    public void Bits_OfACellDoNotDependOnItsBatch(int cells, int tokens, int channels, int heads, int width, int features, int hidden)
    {
        using var batch = new Block(new CpuOptions { Threads = 2 }, cells, tokens, channels, heads, width, features, hidden);
        var all = batch.RunFused(inPlace: false);
        foreach (var (from, count) in ((int, int)[])[(0, 1), (13, 1), (5, 2), (0, 14)])
        {
            var part = batch.RunFused(inPlace: false, from, count);
            AssertSameBits($"cells {from}..{from + count}", all[(from * tokens * channels)..((from + count) * tokens * channels)], part);
        }
    }

    [Fact]
    public void WarmCall_AllocatesNothing()
    {
        using var block = new Block(new CpuOptions { Threads = 2 }, 2, 100, 24, 2, 16, 44, 33);
        for (var i = 0; i < 3; i++) block.Device.Run(block.Operation(block.X, block.X, 2)); // the runtime allocates once a path is first taken
        var native = block.Device.Memory.SourceAllocations;
        var managed = GC.GetAllocatedBytesForCurrentThread();
        block.Device.Run(block.Operation(block.X, block.X, 2));
        block.Device.Run(block.Operation(block.X, block.X, 2));
        Assert.Equal(managed, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(native, block.Device.Memory.SourceAllocations);
    }

    [Fact]
    public void KeyMaximumOverTheBatch_IsRefused()
    {
        using var block = new Block(new CpuOptions { Threads = 1 }, 2, 5, 8, 1, 8, 8, 8);
        var operation = block.Operation(block.X, block.X, 2);
        Assert.Throws<ArgumentException>(() => block.Device.Run(operation with { Sizes = operation.Sizes with { Scope = KeyMaximumScope.Batch } }));
    }

    private static void AssertSameBits(string what, float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]), $"{what}: element {i} is {actual[i]:r}, not {expected[i]:r}");
        }
    }

    private sealed class Block : IDisposable
    {
        private readonly List<Tensor> owned = [];
        private readonly FavorSizes sizes;
        private readonly int channels, hidden;
        private readonly float[] input;
        private readonly EncoderBlockWeights weights;

        public Block(CpuOptions options, int cells, int tokens, int channels, int heads, int width, int features, int hidden)
        {
            (Device, this.channels, this.hidden) = (new CpuDevice(options), channels, hidden);
            sizes = new FavorSizes(cells, tokens, heads, width, features, KeyMaximumScope.Cell);
            var inner = heads * width;
            var row = 1 / Math.Sqrt(channels);
            weights = new EncoderBlockWeights(
                New(1, new Shape(channels), 1, mean: 1), New(2, new Shape(channels), 1), New(3, new Shape(inner, channels), 2 * row), New(4, new Shape(inner, channels), 2 * row),
                New(5, new Shape(inner, channels), row), New(6, new Shape(channels, inner), 1 / Math.Sqrt(inner)), New(7, new Shape(channels), 1),
                New(8, new Shape(channels), 1, mean: 1), New(9, new Shape(channels), 1), New(10, new Shape(hidden, channels), row), New(11, new Shape(hidden), 1),
                New(12, new Shape(channels, hidden), 1 / Math.Sqrt(hidden)), New(13, new Shape(channels), 1), New(14, new Shape(features, width), 1));
            X = New(15, new Shape(cells * tokens, channels), 3, mean: 1);
            input = Device.Read<float>(X);
        }

        public CpuDevice Device { get; }

        public Tensor X { get; }

        public EncoderBlockForward Operation(Tensor y, Tensor x, int cells) => new(y, x, weights, sizes with { Cells = cells }, NormEpsilon);

        public float[] RunFused(bool inPlace, int fromCell = 0, int? cells = null)
        {
            var count = cells ?? sizes.Cells;
            var cell = sizes.Tokens * channels;
            var shape = new Shape(count * sizes.Tokens, channels);
            using var x = new GuardedTensor(Device, shape, input.AsSpan(fromCell * cell, count * cell));
            using var y = new GuardedTensor(Device, shape);
            var target = inPlace ? x : y;
            Device.Run(Operation(target.Tensor, x.Tensor, count));
            target.AssertWrittenInside("y");
            x.AssertCanariesIntact("x");
            if (!inPlace) Assert.Equal(input[(fromCell * cell)..((fromCell + count) * cell)], x.Values);
            return target.Values;
        }

        public float[] RunSingleOperations()
        {
            var (rows, inner) = (sizes.Cells * sizes.Tokens, sizes.Heads * sizes.HeadWidth);
            var (q, k, v, o) = (New(0, new Shape(rows, inner), 1), New(0, new Shape(rows, inner), 1), New(0, new Shape(rows, inner), 1), New(0, new Shape(rows, inner), 1));
            var (norm, residual, y) = (New(0, new Shape(rows, channels), 1), New(0, new Shape(rows, channels), 1), New(0, new Shape(rows, channels), 1));
            var h = New(0, new Shape(rows, hidden), 1);
            var state = new FavorState(
                New(0, new Shape(sizes.Cells, sizes.Heads, sizes.Features, sizes.HeadWidth), 1), New(0, new Shape(sizes.Cells, sizes.Heads, sizes.Features), 1),
                New(0, new Shape(sizes.Cells, sizes.Heads, sizes.HeadWidth), 1), New(0, new Shape(sizes.Cells), 1), Device.Allocate(DType.Int32, new Shape(sizes.Cells, 4)));
            owned.Add(state.KeyMaximumAt);

            Device.Run(new LayerNormForward(norm, Tensor.None, Tensor.None, X, weights.AttentionNormGamma, weights.AttentionNormBeta, NormEpsilon));
            Device.Run(new MatMul(q, norm, weights.Query, TransposeB: true));
            Device.Run(new MatMul(k, norm, weights.Key, TransposeB: true));
            Device.Run(new MatMul(v, norm, weights.Value, TransposeB: true));
            Device.Run(new FavorForward(o, state, q, k, v, weights.Projection, sizes));
            Device.Run(new BroadcastBias(residual, weights.OutputBias, X));
            Device.Run(new MatMul(residual, o, weights.Output, TransposeB: true, Accumulate: true));
            Device.Run(new LayerNormForward(norm, Tensor.None, Tensor.None, residual, weights.FeedForwardNormGamma, weights.FeedForwardNormBeta, NormEpsilon));
            Device.Run(new BroadcastBias(h, weights.B1, Tensor.None));
            Device.Run(new MatMul(h, norm, weights.W1, TransposeB: true, Accumulate: true));
            Device.Run(new GeluForward(h, h));
            Device.Run(new BroadcastBias(y, weights.B2, residual));
            Device.Run(new MatMul(y, h, weights.W2, TransposeB: true, Accumulate: true));
            return Device.Read<float>(y);
        }

        public void Dispose()
        {
            foreach (var tensor in owned) tensor.Storage.Dispose();
            Device.Dispose();
        }

        private Tensor New(int seed, Shape shape, double deviation, double mean = 0)
        {
            var tensor = Device.Allocate(shape);
            owned.Add(tensor);
            if (seed > 0) Device.Write<float>(tensor, Sample.Normal(seed, shape.Count, mean, deviation));
            else Device.Run(new Fill(tensor, float.NaN));
            return tensor;
        }
    }
}
