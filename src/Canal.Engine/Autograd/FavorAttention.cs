using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Fused FAVOR+ attention. Saves q, k, v, its output and the key sums of each head; features are recomputed in the backward pass.</summary>
public sealed class FavorAttentionStep : Step
{
    private Variable q = null!, k = null!, v = null!;
    private Parameter projection = null!;
    private FavorState state;
    private FavorSizes sizes;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="q">[B·T, H·D].</param>
    /// <param name="k">[B·T, H·D].</param>
    /// <param name="v">[B·T, H·D].</param>
    /// <param name="projection">[M, D], never trained.</param>
    /// <param name="sizes">Sizes and the scope of the key maximum.</param>
    /// <returns>[B·T, H·D], of the queries' element type.</returns>
    public static Variable Run(Tape tape, Variable q, Variable k, Variable v, Parameter projection, FavorSizes sizes)
    {
        var output = tape.Allocate(q.Value.Type, sizes.Rows, q.NeedsGradient || k.NeedsGradient || v.NeedsGradient);
        var device = tape.Device;
        var state = new FavorState(
            device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.Features, sizes.HeadWidth)),
            device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.Features)),
            device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.HeadWidth)),
            device.Allocate(new Shape(sizes.Maxima)),
            device.Allocate(DType.Int32, new Shape(sizes.Maxima, 4)));
        device.Run(new FavorForward(output.Value, state, q.Value, k.Value, v.Value, projection.Value, sizes));
        if (output.NeedsGradient)
        {
            var step = tape.Rent<FavorAttentionStep>();
            (step.q, step.k, step.v, step.projection, step.state, step.sizes) = (q.Hold(), k.Hold(), v.Hold(), projection, state, sizes);
            tape.Record(step, output.Hold());
        }
        else
        {
            Free(state);
        }
        return output;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var (dq, dk, dv) = (q.BeginContribution(), k.BeginContribution(), v.BeginContribution());
        var output = Output!;
        tape.Device.Run(new FavorBackward(dq, dk, dv, output.Gradient, output.Value, state, q.Value, k.Value, v.Value, projection.Value, sizes));
        q.CompleteContribution(dq);
        k.CompleteContribution(dk);
        v.CompleteContribution(dv);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        q.Release();
        k.Release();
        v.Release();
        Output!.Release();
        Free(state);
        (q, k, v, projection, state) = (null!, null!, null!, null!, default);
    }

    private static void Free(FavorState state)
    {
        state.Sums.Storage.Dispose();
        state.Normalisers.Storage.Dispose();
        state.MeanValues.Storage.Dispose();
        state.KeyMaximum.Storage.Dispose();
        state.KeyMaximumAt.Storage.Dispose();
    }
}
