using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>The processor's feature maps, which no operation shows.</summary>
public class CpuFavorFeaturesTests
{
    [SkippableFact]
    public unsafe void FeatureMapsMatchTheReferences()
    {
        var problem = GoldenFavor.Problem(GoldenFavor.Batch);
        var layout = new FavorLayout(GoldenFavor.Batch);
        var maximum = (float)SharedFiles.Golden("favor", "outputs_f64").Scalar("key_max");
        var phiQ = new float[GoldenFavor.Cells * GoldenFavor.Tokens * GoldenFavor.Heads * GoldenFavor.Features];
        var phiK = new float[phiQ.Length];
        var ratio = (float)(1 / Math.Sqrt(GoldenFavor.Features));
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var packed = device.Allocate(new Shape(layout.PackedFloats));
        var tile = device.Allocate(new Shape(layout.FeatureTileFloats));
        fixed (float* q = problem.Q, k = problem.K, projection = problem.Projection)
        {
            layout.Pack((float*)packed.Address, projection);
            for (var cellHead = 0; cellHead < GoldenFavor.Cells * GoldenFavor.Heads; cellHead++)
            {
                var (cell, head) = (cellHead / GoldenFavor.Heads, cellHead % GoldenFavor.Heads);
                var offset = ((cell * GoldenFavor.Tokens * GoldenFavor.Heads) + head) * GoldenFavor.Width;
                var features = (float*)tile.Address;
                FavorQueries<V256>.Features(features, q + offset, GoldenFavor.Heads * GoldenFavor.Width, GoldenFavor.Tokens, layout, (float*)packed.Address, null);
                Copy(phiQ, features, cellHead);
                FavorFeatures<V256>.Project(features, k + offset, GoldenFavor.Heads * GoldenFavor.Width, GoldenFavor.Tokens, layout, (float*)packed.Address);
                for (var t = 0; t < GoldenFavor.Tokens; t++)
                {
                    var row = k + offset + (t * GoldenFavor.Heads * GoldenFavor.Width);
                    FavorFeatures<V256>.Exponentials(features + (t * layout.PaddedFeatures), FavorFeatures<V256>.HalfNorm(row, layout) + maximum, layout);
                }
                Copy(phiK, features, cellHead);
            }
        }
        packed.Storage.Dispose();
        tile.Storage.Dispose();
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        Closeness.Assert("phi_q", phiQ, exact.Doubles("phi_q"), GoldenFavor.Allowed("phi_q"));
        Closeness.Assert("phi_k", phiK, exact.Doubles("phi_k"), GoldenFavor.Allowed("phi_k"));

        void Copy(float[] phi, float* features, int cellHead)
        {
            for (var t = 0; t < GoldenFavor.Tokens; t++)
            {
                for (var j = 0; j < GoldenFavor.Features; j++)
                {
                    phi[(((cellHead * GoldenFavor.Tokens) + t) * GoldenFavor.Features) + j] = ratio * (features[(t * layout.PaddedFeatures) + j] + FavorSizes.FeatureMapEpsilon);
                }
            }
        }
    }
}
