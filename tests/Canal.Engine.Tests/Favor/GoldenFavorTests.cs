using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>golden/favor: 2 cells, 3 heads of 16, 17 tokens, 33 features, computed by the reference implementation.</summary>
public class GoldenFavorTests
{
    private const int Cells = 2, Heads = 3, Tokens = 17, Width = 16, Features = 33;
    private const double UnitRoundoff = 1.0 / (1 << 24);
    private static readonly FavorSizes Batch = new(Cells, Tokens, Heads, Width, Features, KeyMaximumScope.Batch);

    [SkippableFact]
    public void BatchScopeMatchesTheReferencesTrainingStep()
    {
        var problem = Problem(Batch);
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var (forward, backward) = FavorRun.Both(device, problem);
        AssertGolden("out", forward.Out);
        AssertGolden("grad_q", backward.DQ);
        AssertGolden("grad_k", backward.DK);
        AssertGolden("grad_v", backward.DV);
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        Closeness.Assert("key_max", forward.KeyMaximum, exact.Doubles("key_max"), Allowed("key_max"));
        // [cell, head, token, feature] there; cell, token, feature, head here.
        var flat = Assert.Single(exact.Ints("key_argmax_flat"));
        Assert.Equal(
            [flat / (Heads * Tokens * Features), flat / Features % Tokens, flat % Features, flat / (Tokens * Features) % Heads], forward.KeyMaximumAt);
    }

    [SkippableFact]
    public void CellScopeMatchesTheReferencesPredictionOfEachCellAlone()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var actual = FavorRun.Forward(device, Problem(Batch with { Scope = KeyMaximumScope.Cell })).Out;
        AssertGolden("per_cell.out", actual);
        var batch = ByRows(SharedFiles.Golden("favor", "outputs_f64").Doubles("out"), Width);
        Assert.True(FavorRun.MaxError(actual, batch) > 1e-3, "a maximum per cell must differ from one per batch here");
    }

    // Neither gradients with the maxima held constant, nor a maximum per head as later versions of performer-pytorch take it.
    [SkippableFact]
    public void DetachedMaximaAndAMaximumAHeadAreToldApart()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var (forward, backward) = FavorRun.Both(device, Problem(Batch));
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        // The manifest measures relative differences of 0.255 and 0.377.
        foreach (var (name, actual) in new[] { ("detached.grad_q", backward.DQ), ("detached.grad_k", backward.DK), ("upstream_later.out", forward.Out) })
        {
            var other = ByRows(exact.Doubles(name), Width);
            var difference = FavorRun.MaxError(actual, other);
            Assert.True(difference > 0.1 * Closeness.Scale(other), $"{name} differs by {difference} only");
        }
    }

    [SkippableFact]
    public unsafe void FeatureMapsMatchTheReferences()
    {
        var problem = Problem(Batch);
        var layout = new FavorLayout(Batch);
        var maximum = (float)SharedFiles.Golden("favor", "outputs_f64").Scalar("key_max");
        var phiQ = new float[Cells * Tokens * Heads * Features];
        var phiK = new float[phiQ.Length];
        var ratio = (float)(1 / Math.Sqrt(Features));
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var packed = device.Allocate(new Shape(layout.PackedFloats));
        var tile = device.Allocate(new Shape(layout.FeatureTileFloats));
        fixed (float* q = problem.Q, k = problem.K, projection = problem.Projection)
        {
            layout.Pack((float*)packed.Address, projection);
            for (var cellHead = 0; cellHead < Cells * Heads; cellHead++)
            {
                var (cell, head) = (cellHead / Heads, cellHead % Heads);
                var offset = ((cell * Tokens * Heads) + head) * Width;
                var features = (float*)tile.Address;
                FavorQueries<V256>.Features(features, q + offset, Heads * Width, Tokens, layout, (float*)packed.Address, null);
                Copy(phiQ, features, cellHead);
                FavorFeatures<V256>.Project(features, k + offset, Heads * Width, Tokens, layout, (float*)packed.Address);
                for (var t = 0; t < Tokens; t++)
                {
                    var row = k + offset + (t * Heads * Width);
                    FavorFeatures<V256>.Exponentials(features + (t * layout.PaddedFeatures), FavorFeatures<V256>.HalfNorm(row, layout) + maximum, layout);
                }
                Copy(phiK, features, cellHead);
            }
        }
        packed.Storage.Dispose();
        tile.Storage.Dispose();
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        Closeness.Assert("phi_q", phiQ, exact.Doubles("phi_q"), Allowed("phi_q"));
        Closeness.Assert("phi_k", phiK, exact.Doubles("phi_k"), Allowed("phi_k"));

        void Copy(float[] phi, float* features, int cellHead)
        {
            for (var t = 0; t < Tokens; t++)
            {
                for (var j = 0; j < Features; j++)
                {
                    phi[(((cellHead * Tokens) + t) * Features) + j] = ratio * (features[(t * layout.PaddedFeatures) + j] + FavorSizes.FeatureMapEpsilon);
                }
            }
        }
    }

    private static FavorProblem Problem(FavorSizes sizes)
    {
        var inputs = SharedFiles.Golden("favor", "inputs");
        return new FavorProblem(
            sizes,
            ByRows(inputs.Floats("q"), Width),
            ByRows(inputs.Floats("k"), Width),
            ByRows(inputs.Floats("v"), Width),
            inputs.Floats("projection"),
            ByRows(inputs.Floats("w_out"), Width));
    }

    private static void AssertGolden(string name, float[] actual) =>
        Closeness.Assert(name, actual, ByRows(SharedFiles.Golden("favor", "outputs_f64").Doubles(name), Width), Allowed(name));

    // Twice the error of the reference's own float32 run, and two roundoffs at the scale of the tensor, or of the values that outputs are means of.
    private static double Allowed(string name)
    {
        var exact = SharedFiles.Golden("favor", "outputs_f64").Doubles(name);
        var single = SharedFiles.Golden("favor", "outputs_f32").Floats(name);
        var scale = name.EndsWith("out", StringComparison.Ordinal)
            ? Closeness.Scale(SharedFiles.Golden("favor", "inputs").Doubles("v")) : Closeness.Scale(exact);
        return (2 * FavorRun.MaxError(single, exact)) + (2 * UnitRoundoff * scale);
    }

    // [B, H, T, D] to [B·T, H·D].
    private static T[] ByRows<T>(T[] values, int width)
    {
        var rows = new T[values.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var (d, t, h, b) = (i % width, i / width % Tokens, i / (width * Tokens) % Heads, i / (width * Tokens * Heads));
            rows[(((((b * Tokens) + t) * Heads) + h) * width) + d] = values[i];
        }
        return rows;
    }
}
