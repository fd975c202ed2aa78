using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>Gene attention on the devices of a family, against the float64 matrix and the reference implementation's.</summary>
public abstract class GeneAttentionTests(DeviceFamily devices)
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    public static TheoryData<int, int, int, int, int, KeyMaximumScope, double> Cases => new()
    {
        { 1, 1, 1, 8, 1, KeyMaximumScope.Cell, 3 },
        { 2, 31, 2, 16, 44, KeyMaximumScope.Cell, 3 },
        { 2, 65, 3, 20, 44, KeyMaximumScope.Batch, 8 },
        { 2, 257, 2, 64, 266, KeyMaximumScope.Cell, 3 },
        { 1, 530, 1, 64, 266, KeyMaximumScope.Cell, 16 },
    };

    [SkippableTheory, MemberData(nameof(Cases))]
    public void EqualsTheColumnSumsOfTheMatrixAndAddsToWhatIsThere(
        int cells, int tokens, int heads, int width, int features, KeyMaximumScope scope, double norm)
    {
        var problem = FavorRun.Problem(new FavorSizes(cells, tokens, heads, width, features, scope), norm);
        float[] weights = [.. Enumerable.Range(1, heads).Select(h => h / (float)tokens)];
        var reference = new FavorReference(problem);
        var exact = reference.GeneAttention(weights);
        // Each weight is a quotient of sums of positive terms: relatively as exact as its exponents, summed over at most T rows.
        var allowed = (8 * UnitRoundoff * reference.LargestExponent * Closeness.Scale(exact)) + (UnitRoundoff * Math.Sqrt(tokens) * Closeness.Scale(exact));
        var device = devices.Ready();
        var once = Run(device, problem, weights, start: 0);
        Closeness.Assert("scores", once, exact, allowed);
        Closeness.Assert("scores on top of 1", Run(device, problem, weights, start: 1), Array.ConvertAll(exact, x => x + 1), allowed + (2 * UnitRoundoff));
        // Rows of the matrix sum to one.
        for (var cell = 0; cell < cells; cell++)
        {
            var total = once.AsSpan(cell * tokens, tokens).ToArray().Sum(x => (double)x);
            Assert.Equal(weights.Sum() * tokens, total, allowed * tokens);
        }
    }

    [SkippableFact]
    public void BitsAreThoseOfEveryDeviceAndOfACellAlone()
    {
        var first = devices.Ready();
        var sizes = new FavorSizes(3, 300, 3, 20, 44, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        float[] weights = [0.5f, 0.25f, 1f];
        var expected = Run(first, problem, weights, 0);
        foreach (var device in devices.All) Assert.Equal(expected, Run(device, problem, weights, 0));
        var cell = sizes.Tokens * sizes.Heads * sizes.HeadWidth;
        var alone = problem with { Sizes = sizes with { Cells = 1 }, Q = problem.Q[cell..(2 * cell)], K = problem.K[cell..(2 * cell)] };
        Assert.Equal(expected[sizes.Tokens..(2 * sizes.Tokens)], Run(first, alone, weights, 0));
    }

    // golden/attention: the weights and cells of performer_tiny, each cell alone, at the input that the layer really uses.
    [SkippableFact]
    public void MatchesTheReferencesMatricesAtTheForwardInput()
    {
        const int cells = 4, tokens = 31, heads = 2, layers = 2, width = 16, features = 44;
        var weights = SharedFiles.Golden("performer_tiny", "weights");
        var activations = SharedFiles.Golden("performer_tiny", "per_cell_f64");
        var exact = SharedFiles.Golden("attention", "attention_f64");
        var single = SharedFiles.Golden("attention", "attention_f32");
        var matrices = exact.Doubles("per_layer_head_of_forward_input");
        var device = devices.Ready();
        var scores = new double[cells * tokens];
        for (var layer = 0; layer < layers; layer++)
        {
            var block = $"performer.net.layers.{layer}.0.";
            var input = LayerNorm(
                activations.Doubles(layer == 0 ? "embed" : $"layer{layer - 1}.post_ff"), weights.Doubles(block + "norm.weight"), weights.Doubles(block + "norm.bias"));
            var problem = new FavorProblem(
                new FavorSizes(cells, tokens, heads, width, features, KeyMaximumScope.Cell),
                Linear(input, weights.Doubles(block + "fn.to_q.weight"), 20),
                Linear(input, weights.Doubles(block + "fn.to_k.weight"), 20),
                [],
                weights.Floats(block + "fn.fast_attention.projection_matrix"),
                []);
            for (var head = 0; head < heads; head++)
            {
                var one = new float[heads];
                one[head] = 1f / tokens;
                var actual = Run(device, problem, one, 0);
                var expected = new double[cells * tokens];
                for (var i = 0; i < matrices.Length; i++)
                {
                    var (column, h, l, cell) = (i % tokens, i / (tokens * tokens) % heads, i / (tokens * tokens * heads) % layers, i / (tokens * tokens * heads * layers));
                    if (h == head && l == layer) expected[(cell * tokens) + column] += matrices[i] / tokens;
                }
                Closeness.Assert($"layer {layer}, head {head}", actual, expected, Allowed(single, exact, "per_layer_head_of_forward_input"));
                for (var i = 0; i < scores.Length; i++) scores[i] += actual[i] / (double)(heads * layers);
            }
        }
        Closeness.Assert("gene_scores", scores, exact.Doubles("gene_scores_of_forward_input"), Allowed(single, exact, "gene_scores_of_forward_input"));
        Assert.True(
            scores.Zip(exact.Doubles("gene_scores"), (a, b) => Math.Abs(a - b)).Max() > 1e-3, "scores at the input after the residual addition must differ");
    }

    // Twice the error of the reference's own float32 run, and two roundoffs at the scale of the tensor.
    private static double Allowed(GoldenTensors single, GoldenTensors exact, string name) =>
        (2 * FavorRun.MaxError(single.Floats(name), exact.Doubles(name))) + (2 * UnitRoundoff * Closeness.Scale(exact.Doubles(name)));

    internal static float[] Run(Device device, FavorProblem problem, float[] weights, float start, DType type = DType.Float32)
    {
        var s = problem.Sizes;
        float[] before = [.. Enumerable.Repeat(start, s.Cells * s.Tokens)];
        using var scores = new GuardedTensor(device, new Shape(s.Cells, s.Tokens), before);
        using var q = new GuardedTensor(device, type, s.Rows, problem.Q);
        using var k = new GuardedTensor(device, type, s.Rows, problem.K);
        using var projection = new GuardedTensor(device, new Shape(s.Features, s.HeadWidth), problem.Projection);
        using var headWeights = new GuardedTensor(device, new Shape(s.Heads), weights);
        device.Run(new GeneAttention(scores.Tensor, q.Tensor, k.Tensor, projection.Tensor, headWeights.Tensor, s));
        scores.AssertCanariesIntact("scores");
        return scores.Values;
    }

    private static double[] LayerNorm(double[] x, double[] gamma, double[] beta)
    {
        var width = gamma.Length;
        var y = new double[x.Length];
        for (var i = 0; i < x.Length; i += width)
        {
            var row = x.AsSpan(i, width).ToArray();
            var mean = row.Average();
            var deviation = Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-5);
            for (var c = 0; c < width; c++) y[i + c] = ((row[c] - mean) / deviation * gamma[c]) + beta[c];
        }
        return y;
    }

    private static float[] Linear(double[] x, double[] weight, int width)
    {
        var columns = weight.Length / width;
        var y = new float[x.Length / width * columns];
        for (var i = 0; i < y.Length; i++)
        {
            var (row, column) = (i / columns, i % columns);
            var sum = 0.0;
            for (var c = 0; c < width; c++) sum += x[(row * width) + c] * weight[(column * width) + c];
            y[i] = (float)sum;
        }
        return y;
    }
}

/// <summary>The processor.</summary>
public sealed class CpuGeneAttentionTests(CpuDevices devices) : GeneAttentionTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedGeneAttentionTests(EmulatedDevices devices) : GeneAttentionTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverGeneAttentionTests(DriverDevices devices) : GeneAttentionTests(devices), IClassFixture<DriverDevices>;
