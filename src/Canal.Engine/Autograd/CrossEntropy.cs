using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Label-smoothed cross-entropy: a loss, where a backward pass starts.</summary>
public sealed class CrossEntropyStep : Step
{
    private Variable logits = null!;
    private Tensor labels, rowWeight;
    private float smoothing, scale;

    /// <summary>Computes each row's loss and records the gradient of scale · (their sum).</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="logits">[N, K].</param>
    /// <param name="labels">Int32 [N], kept by the caller until after the backward pass; a label outside [0, K) leaves its row out.</param>
    /// <param name="smoothing">s: target (1 - s) one-hot + s / K.</param>
    /// <param name="scale">Weight of a row: 1 / (labelled rows) for a mean, also divided by the batches that accumulate.</param>
    /// <param name="loss">[N]: loss of each row, unscaled, written.</param>
    /// <param name="rowWeight">[1], multiplies the scale, kept by the caller until after the backward pass; none means 1.</param>
    public static void Run(Tape tape, Variable logits, Tensor labels, float smoothing, float scale, Tensor loss, Tensor rowWeight = default)
    {
        tape.Device.Run(new CrossEntropyForward(loss, logits.Value, labels, smoothing));
        if (!logits.NeedsGradient) return;
        var step = tape.Rent<CrossEntropyStep>();
        (step.logits, step.labels, step.smoothing, step.scale, step.rowWeight) = (logits.Hold(), labels, smoothing, scale, rowWeight);
        tape.Record(step, null);
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var dlogits = logits.BeginContribution();
        tape.Device.Run(new CrossEntropyBackward(dlogits, logits.Value, labels, smoothing, scale, rowWeight));
        logits.CompleteContribution(dlogits);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        logits.Release();
        (logits, labels, rowWeight) = (null!, Tensor.None, Tensor.None);
    }
}
