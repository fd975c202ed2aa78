using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>Cells of a stage with what training needs to know of them.</summary>
/// <param name="Tokens">Tokens of all cells, the bank's behind the stage's own.</param>
/// <param name="Labels">Type of each cell.</param>
/// <param name="Training">Cells that are trained on.</param>
/// <param name="Validation">Cells that validate.</param>
internal sealed record StagePool(ICellTokens Tokens, int[] Labels, int[] Training, int[] Validation);

/// <summary>Where the previous model's representations come from.</summary>
internal interface ITeacher
{
    /// <summary>Representations of cells of the pool, [cells, R], into a device tensor.</summary>
    void Read(ReadOnlySpan<int> cells, Tensor representations);
}

/// <summary>The previous model's representations, computed once a stage.</summary>
internal sealed class CachedTeacher(ActivationCache cache) : ITeacher
{
    /// <inheritdoc/>
    public void Read(ReadOnlySpan<int> cells, Tensor representations) => cache.Read(cells, representations);
}

/// <summary>How a step computes.</summary>
/// <param name="Batch">Cells of a step.</param>
/// <param name="StepsPerEpoch">Steps of an epoch.</param>
/// <param name="Smoothing">Label smoothing s.</param>
/// <param name="DistillationWeight">lambda · K_old / K; 0 without a teacher.</param>
/// <param name="MaximumGradientNorm">Clipping; infinity does not clip.</param>
/// <param name="Scope">The cell; or the batch, for parity with the reference's training step.</param>
internal sealed record StepSettings(
    int Batch, int StepsPerEpoch, double Smoothing, double DistillationWeight, double MaximumGradientNorm, KeyMaximumScope Scope = KeyMaximumScope.Cell);

/// <summary>
/// A stage's training step (method.md section 4): label-smoothed cross-entropy, plus distillation of the previous model's
/// representations. Reads the frozen blocks' output from a cache where there is one, with the same bits.
/// </summary>
internal sealed class StageTask : NetworkTask
{
    private readonly CellTypeNetwork network;
    private readonly StagePool pool;
    private readonly StepSettings settings;
    private readonly ActivationCache? prefix;
    private readonly ITeacher? teacher;
    private readonly CellTypeInference inference;
    private readonly SparseBatch? sparse;
    private readonly Tensor prefixRows, labels, rowLosses, teacherRows, validationLosses, validationLabels;
    private readonly BatchResults predictions;
    private readonly int[] poolCells, labelBuffer;
    private Tensor tokens;

    /// <summary>Prepares training of what trains in the network now.</summary>
    public StageTask(CellTypeNetwork network, StagePool pool, StepSettings settings, ActivationCache? prefix, ITeacher? teacher)
        : base(network.Device, network.Parameters, new AdamSettings(AmsGrad: true), settings.MaximumGradientNorm, settings.Batch, settings.StepsPerEpoch)
    {
        (this.network, this.pool, this.settings, this.prefix, this.teacher) = (network, pool, settings, prefix, teacher);
        var (device, geometry, batch) = (network.Device, network.Encoder.Geometry, settings.Batch);
        if (prefix is null) sparse = new SparseBatch(device, batch, network.Genes);
        else prefixRows = device.Allocate(new Shape(batch * geometry.Positions, geometry.Width));
        labels = device.Allocate(DType.Int32, new Shape(batch));
        rowLosses = device.Allocate(new Shape(batch));
        if (teacher is not null) teacherRows = device.Allocate(new Shape(batch, network.RepresentationWidth));
        inference = new CellTypeInference(network, prefix);
        predictions = new BatchResults(device, inference.BatchCells);
        validationLosses = device.Allocate(new Shape(inference.BatchCells));
        validationLabels = device.Allocate(DType.Int32, new Shape(inference.BatchCells));
        (poolCells, labelBuffer) = (new int[batch], new int[Math.Max(batch, inference.BatchCells)]);
    }

    /// <inheritdoc/>
    public override int TrainingCells => pool.Training.Length;

    /// <inheritdoc/>
    protected override (double Accuracy, double Loss) ValidateCells(CancellationToken cancel)
    {
        if (pool.Validation.Length == 0) return (double.NaN, double.NaN);
        var (right, loss) = (0, 0.0);
        for (var first = 0; first < pool.Validation.Length; first += inference.BatchCells)
        {
            cancel.ThrowIfCancellationRequested();
            var cells = pool.Validation.AsSpan(first, Math.Min(inference.BatchCells, pool.Validation.Length - first));
            for (var i = 0; i < inference.BatchCells; i++) labelBuffer[i] = i < cells.Length ? pool.Labels[cells[i]] : -1;
            Device.Write<int>(validationLabels, labelBuffer.AsSpan(0, inference.BatchCells));
            var logits = inference.Forward(pool.Tokens, cells).Logits.Value;
            Device.Run(new CrossEntropyForward(validationLosses, logits, validationLabels, (float)settings.Smoothing));
            predictions.Take(logits, NoveltyTemperature);
            predictions.Collect();
            foreach (var value in Device.Read<float>(validationLosses.Slice(0, cells.Length))) loss += value;
            for (var i = 0; i < cells.Length; i++)
            {
                if (predictions.Types[3 * i] == labelBuffer[i]) right++;
            }
            inference.End();
        }
        return ((double)right / pool.Validation.Length, loss / pool.Validation.Length);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        inference.Dispose();
        predictions.Dispose();
        sparse?.Dispose();
        foreach (var tensor in (ReadOnlySpan<Tensor>)[prefixRows, labels, rowLosses, teacherRows, validationLosses, validationLabels])
        {
            if (!tensor.IsNone) tensor.Storage.Dispose();
        }
    }

    /// <inheritdoc/>
    protected override int Load(ReadOnlySpan<int> cells, MicroBatch part, int epoch)
    {
        var n = cells.Length;
        for (var i = 0; i < n; i++)
        {
            poolCells[i] = pool.Training[cells[i]];
            labelBuffer[i] = pool.Labels[poolCells[i]];
        }
        Device.Write<int>(labels.Slice(0, n), labelBuffer.AsSpan(0, n));
        if (prefix is null)
        {
            sparse!.Gather(pool.Tokens, poolCells.AsSpan(0, n));
            tokens = sparse.Expand(n);
        }
        else
        {
            prefix.Read(poolCells.AsSpan(0, n), PrefixRows(n));
        }
        teacher?.Read(poolCells.AsSpan(0, n), teacherRows.Slice(0, n));
        return n;
    }

    /// <inheritdoc/>
    protected override void Accumulate(MicroBatch part, LossSlots slots)
    {
        var n = part.Cells;
        var batchLabels = labels.Slice(0, n);
        var pass = new EncoderPass(n, settings.Scope);
        var input = prefix is null ? network.Prefix(Tape, tokens, pass) : Tape.Borrow(PrefixRows(n));
        var output = network.Suffix(Tape, input, pass);
        input.Release();
        var losses = rowLosses.Slice(0, n);
        CrossEntropyStep.Run(Tape, output.Logits, batchLabels, (float)settings.Smoothing, (float)(part.Share / n), losses);
        Device.Run(new ColumnSum(slots.Sum, losses.Reshape(new Shape(n, 1))));
        if (teacher is not null)
        {
            DistillationStep.Run(Tape, output.Representation, teacherRows.Slice(0, n), (float)(settings.DistillationWeight * part.Share), slots.Distillation);
        }
    }

    private Tensor PrefixRows(int cells) => prefixRows.Slice(0, cells * network.Encoder.Geometry.Positions);

    /// <summary>Temperature of the energy, CANAL's 0.8; here only the types are used.</summary>
    private const float NoveltyTemperature = 0.8f;
}
