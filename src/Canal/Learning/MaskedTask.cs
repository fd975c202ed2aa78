using Canal.Data;
using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Models;

namespace Canal.Learning;

/// <summary>An encoder with scBERT's pre-training head over one parameter set on a device.</summary>
public sealed class MaskedExpressionNetwork : IDisposable
{
    /// <summary>Uploads a base model; nothing trains yet.</summary>
    /// <exception cref="UserException">It knows cell types, so it has another head.</exception>
    public MaskedExpressionNetwork(Device device, AnnotationModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Kind != ModelKind.Base) throw new UserException("Only a base model can be pre-trained; this one knows cell types already.");
        Device = device;
        Parameters = model.CreateParameters(device);
        Encoder = new PerformerEncoder(Parameters, model.Configuration.Encoder());
        Head = new MaskedExpressionHead(Parameters);
    }

    /// <summary>Where it lives.</summary>
    public Device Device { get; }

    /// <summary>All parameters, under their PyTorch names.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>The encoder.</summary>
    public PerformerEncoder Encoder { get; }

    /// <summary>The head.</summary>
    public MaskedExpressionHead Head { get; }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();
}

/// <summary>Masked-expression pre-training (method.md section 7): cross-entropy on the chosen positions, masked anew in every epoch; validation is masked once for all.</summary>
internal sealed class MaskedTask : NetworkTask
{
    /// <summary>The epoch whose random numbers mask the validation cells: none that training reaches.</summary>
    private const int ValidationEpoch = int.MaxValue;

    private readonly MaskedExpressionNetwork network;
    private readonly ICellTokens tokens;
    private readonly int[] training, validation;
    private readonly ulong seed;
    private readonly int batch;
    private readonly SparseBatch sparse;
    private readonly Tape inferenceTape;
    private readonly Tensor labels, rowLosses, validationSum;
    private readonly int[] poolCells, labelBuffer;
    private Tensor dense, batchLabels;

    /// <summary>Prepares training of the whole network.</summary>
    public MaskedTask(MaskedExpressionNetwork network, ICellTokens tokens, int[] training, int[] validation, PretrainSettings settings, int stepsPerEpoch)
        : base(network.Device, network.Parameters, new AdamSettings(AmsGrad: false), settings.MaximumGradientNorm, settings.Batch, stepsPerEpoch)
    {
        (this.network, this.tokens, this.training, this.validation, seed, batch) = (network, tokens, training, validation, settings.Seed, settings.Batch);
        var positions = network.Encoder.Geometry.Positions;
        sparse = new SparseBatch(network.Device, batch, positions - 1);
        inferenceTape = Tape.ForInference(network.Device);
        labels = network.Device.Allocate(DType.Int32, new Shape(batch * positions));
        rowLosses = network.Device.Allocate(new Shape(batch * positions));
        validationSum = network.Device.Allocate(new Shape(1));
        (poolCells, labelBuffer) = (new int[batch], new int[batch * positions]);
    }

    /// <inheritdoc/>
    public override int TrainingCells => training.Length;

    /// <inheritdoc/>
    protected override (double Accuracy, double Loss) ValidateCells(CancellationToken cancel)
    {
        if (validation.Length == 0) return (double.NaN, double.NaN);
        Device.Run(new Fill(validationSum, 0));
        var (right, rows) = (0L, 0L);
        for (var first = 0; first < validation.Length; first += batch)
        {
            cancel.ThrowIfCancellationRequested();
            var n = Math.Min(batch, validation.Length - first);
            for (var i = 0; i < n; i++) poolCells[i] = validation[first + i];
            rows += LoadCells(n, ValidationEpoch);
            var logits = Forward(inferenceTape, dense, n);
            Score(logits.Value, validationSum);
            right += CountRight(Device.Read<float>(logits.Value), labelBuffer.AsSpan(0, (int)batchLabels.Count));
            inferenceTape.Clear();
        }
        return ((double)right / Math.Max(1, rows), Device.Read<float>(validationSum)[0] / (double)Math.Max(1, rows));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        inferenceTape.Dispose();
        sparse.Dispose();
        labels.Storage.Dispose();
        rowLosses.Storage.Dispose();
        validationSum.Storage.Dispose();
    }

    /// <inheritdoc/>
    protected override int Load(ReadOnlySpan<int> cells, MicroBatch part, int epoch)
    {
        for (var i = 0; i < cells.Length; i++) poolCells[i] = training[cells[i]];
        var chosen = LoadCells(cells.Length, epoch);
        Device.Write<float>(RowWeight, [(float)(part.Share / Math.Max(1, chosen))]);
        return chosen;
    }

    /// <inheritdoc/>
    protected override void Accumulate(MicroBatch part, LossSlots slots)
    {
        var logits = Forward(Tape, dense, part.Cells);
        var losses = rowLosses.Slice(0, (int)batchLabels.Count);
        CrossEntropyStep.Run(Tape, logits, batchLabels, 0f, 1f, losses, RowWeight);
        Device.Run(new ColumnSum(slots.Sum, losses.Reshape(new Shape((int)losses.Count, 1))));
    }

    private Variable Forward(Tape tape, Tensor dense, int cells)
    {
        var x = network.Encoder.Embed(tape, dense);
        var y = network.Encoder.Forward(tape, x, new EncoderPass(cells));
        x.Release();
        var logits = network.Head.Forward(tape, y);
        y.Release();
        return logits;
    }

    // Sends the cells over, masked; returns the number of masked positions.
    private int LoadCells(int cells, int epoch)
    {
        var (length, chosen) = (network.Encoder.Geometry.Positions, 0);
        sparse.Gather(tokens, poolCells.AsSpan(0, cells));
        for (var i = 0; i < cells; i++)
        {
            var (start, count) = (sparse.Offsets[i], sparse.Offsets[i + 1] - sparse.Offsets[i]);
            ExpressionMasking.Mask(sparse.Positions.Slice(start, count), sparse.Bins.Slice(start, count), labelBuffer.AsSpan(i * length, length), seed, epoch, poolCells[i]);
            chosen += ExpressionMasking.Quota(count);
        }
        dense = sparse.Expand(cells);
        batchLabels = labels.Slice(0, cells * length);
        Device.Write<int>(batchLabels, labelBuffer.AsSpan(0, cells * length));
        return chosen;
    }

    private void Score(Tensor logits, Tensor sum)
    {
        var losses = rowLosses.Slice(0, (int)batchLabels.Count);
        Device.Run(new CrossEntropyForward(losses, logits, batchLabels, 0f));
        Device.Run(new ColumnSum(sum, losses.Reshape(new Shape((int)losses.Count, 1))));
    }

    private static long CountRight(ReadOnlySpan<float> logits, ReadOnlySpan<int> truth)
    {
        var (classes, right) = (logits.Length / truth.Length, 0L);
        for (var row = 0; row < truth.Length; row++)
        {
            if (truth[row] < 0) continue;
            var best = 0;
            for (var k = 1; k < classes; k++)
            {
                if (logits[(row * classes) + k] > logits[(row * classes) + best]) best = k;
            }
            if (best == truth[row]) right++;
        }
        return right;
    }
}
