using Canal.Engine.Operations;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>FAVOR+ on the devices of a family against the reference implementation.</summary>
public abstract class GoldenFavorTests(DeviceFamily devices)
{
    [SkippableFact]
    public void BatchScopeMatchesTheReferencesTrainingStep()
    {
        var problem = GoldenFavor.Problem(GoldenFavor.Batch);
        var device = devices.Ready();
        var (forward, backward) = FavorRun.Both(device, problem);
        GoldenFavor.Assert("out", forward.Out);
        GoldenFavor.Assert("grad_q", backward.DQ);
        GoldenFavor.Assert("grad_k", backward.DK);
        GoldenFavor.Assert("grad_v", backward.DV);
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        Closeness.Assert("key_max", forward.KeyMaximum, exact.Doubles("key_max"), GoldenFavor.Allowed("key_max"));
        // [cell, head, token, feature] there; cell, token, feature, head here.
        var flat = Assert.Single(exact.Ints("key_argmax_flat"));
        Assert.Equal(
            [flat / (GoldenFavor.Heads * GoldenFavor.Tokens * GoldenFavor.Features), flat / GoldenFavor.Features % GoldenFavor.Tokens, flat % GoldenFavor.Features, flat / (GoldenFavor.Tokens * GoldenFavor.Features) % GoldenFavor.Heads], forward.KeyMaximumAt);
    }

    [SkippableFact]
    public void CellScopeMatchesTheReferencesPredictionOfEachCellAlone()
    {
        var device = devices.Ready();
        var actual = FavorRun.Forward(device, GoldenFavor.Problem(GoldenFavor.Batch with { Scope = KeyMaximumScope.Cell })).Out;
        GoldenFavor.Assert("per_cell.out", actual);
        var batch = GoldenFavor.ByRows(SharedFiles.Golden("favor", "outputs_f64").Doubles("out"), GoldenFavor.Width);
        Assert.True(FavorRun.MaxError(actual, batch) > 1e-3, "a maximum per cell must differ from one per batch here");
    }

    // Neither gradients with the maxima held constant, nor a maximum per head as later versions of performer-pytorch take it.
    [SkippableFact]
    public void DetachedMaximaAndAMaximumAHeadAreToldApart()
    {
        var device = devices.Ready();
        var (forward, backward) = FavorRun.Both(device, GoldenFavor.Problem(GoldenFavor.Batch));
        var exact = SharedFiles.Golden("favor", "outputs_f64");
        // The manifest measures relative differences of 0.255 and 0.377.
        foreach (var (name, actual) in new[] { ("detached.grad_q", backward.DQ), ("detached.grad_k", backward.DK), ("upstream_later.out", forward.Out) })
        {
            var other = GoldenFavor.ByRows(exact.Doubles(name), GoldenFavor.Width);
            var difference = FavorRun.MaxError(actual, other);
            Assert.True(difference > 0.1 * Closeness.Scale(other), $"{name} differs by {difference} only");
        }
    }
}

/// <summary>The processor.</summary>
public sealed class CpuGoldenFavorTests(CpuDevices devices) : GoldenFavorTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedGoldenFavorTests(EmulatedDevices devices) : GoldenFavorTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverGoldenFavorTests(DriverDevices devices) : GoldenFavorTests(devices), IClassFixture<DriverDevices>;
