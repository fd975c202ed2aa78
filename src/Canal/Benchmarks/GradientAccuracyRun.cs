using Canal.Data;
using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Models;

namespace Canal.Benchmarks;

/// <summary>
/// The backward half of a precision: the gradient of the mean label-smoothed cross-entropy of some cells with respect to the parameters, as a training
/// step computes it, against float64; beside it, the float64 model with the precision's roundings.
/// </summary>
internal sealed class GradientAccuracyRun
{
    // What a stage trains with unless told otherwise.
    private static readonly double Smoothing = new LearningSettings().Smoothing;

    private readonly AnnotationModel model;
    private readonly PreparedCells cells;
    private readonly RunInFloat64[] runs;
    private readonly int[] labels;
    private readonly Dictionary<string, double[]> truth;

    /// <summary>Computes the gradient in float64.</summary>
    /// <param name="model">An annotation model.</param>
    /// <param name="exact">The model in float64.</param>
    /// <param name="cells">Cells prepared for it.</param>
    /// <param name="runs">The first of them in float64: what the gradient is taken over.</param>
    /// <param name="labels">Type of each; -1 where none is given, and the one that the model finds in float64 stands in.</param>
    /// <param name="stop">Stops between two cells.</param>
    public GradientAccuracyRun(AnnotationModel model, ModelInFloat64 exact, PreparedCells cells, RunInFloat64[] runs, ReadOnlySpan<int> labels, CancellationToken stop)
    {
        (this.model, this.cells, this.runs) = (model, cells, runs);
        this.labels = [.. labels[..runs.Length].ToArray().Select((label, cell) => label >= 0 ? label : Array.IndexOf(runs[cell].Logits, runs[cell].Logits.Max()))];
        truth = Gradients(exact, runs, stop);
    }

    /// <summary>
    /// Measures with everything training, and, where a precision computes frozen blocks in another element type than those that train, with CANAL's
    /// last-but-one block, too. What trains in the network is changed.
    /// </summary>
    public List<GradientAccuracy> Measure(CellTypeNetwork network, CudaPrecision precision, CancellationToken stop)
    {
        var results = new List<GradientAccuracy>();
        foreach (var set in precision.Forward == precision.Training ? (TrainableSet[])[TrainableSet.All] : [TrainableSet.All, TrainableSet.LastButOne])
        {
            stop.ThrowIfCancellationRequested();
            network.Parameters.Train(set);
            if (set != TrainableSet.All && network.Encoder.FrozenBlocks == 0) continue;
            var (measured, units) = OnDevice(network);
            var rounding = new ModelInFloat64(model, precision, network.Encoder.FrozenBlocks);
            RunInFloat64[] roundedRuns = [.. runs.Select(run => rounding.Run(run.Tokens))];
            var rounded = Gradients(rounding, roundedRuns, stop);
            var (switched, byRounding) = (Switched(units), Switched([.. roundedRuns.Select(run => run.Units)]));
            results.AddRange(measured.Keys.GroupBy(Group).Select(group =>
                Compare(TrainableName(set), group.Key, [.. group], measured, rounded) with { Switched = switched, SwitchedByRounding = byRounding }));
        }
        return results;
    }

    /// <summary>One group of parameters.</summary>
    internal GradientAccuracy Compare(string trains, string group, string[] names, Dictionary<string, float[]> measured, Dictionary<string, double[]> rounded)
    {
        var worst = names.Select(name => (Name: name, RelativeError.Of(measured[name], truth[name]).Rms)).MaxBy(p => double.IsNaN(p.Rms) ? double.PositiveInfinity : p.Rms);
        double[] expected = [.. names.SelectMany(name => truth[name])];
        // A card, too, keeps the gradients of parameters in float32.
        float[] rounding = [.. names.SelectMany(name => rounded[name]).Select(value => (float)value)];
        return new GradientAccuracy(
            trains, group, RelativeError.Of([.. names.SelectMany(name => measured[name])], expected), RelativeError.Of(rounding, expected), worst.Name, worst.Rms, 0, 0);
    }

    private Dictionary<string, double[]> Gradients(ModelInFloat64 float64, RunInFloat64[] itsRuns, CancellationToken stop)
    {
        var gradients = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (var cell = 0; cell < itsRuns.Length; cell++)
        {
            stop.ThrowIfCancellationRequested();
            float64.AddGradients(itsRuns[cell], labels[cell], Smoothing, 1.0 / itsRuns.Length, gradients);
        }
        return gradients;
    }

    private int Switched(bool[][] units) => runs.Zip(units, (run, own) => run.Units.Zip(own, (a, b) => a != b).Count(differs => differs)).Sum();

    // As StageTask, with the blocks' values made again in the backward pass: the same bits in the memory of one block.
    private (Dictionary<string, float[]> Gradients, bool[][] Units) OnDevice(CellTypeNetwork network)
    {
        var device = network.Device;
        using var sparse = new SparseBatch(device, runs.Length, network.Genes);
        using var tape = new Tape(device);
        var (types, losses) = (device.Allocate(DType.Int32, new Shape(runs.Length)), device.Allocate(new Shape(runs.Length)));
        device.Write<int>(types, labels);
        sparse.Gather(new StoredTokens(cells.Tokens), [.. Enumerable.Range(0, runs.Length)]);
        var pass = new EncoderPass(runs.Length, Recompute: true);
        var input = network.Prefix(tape, sparse.Expand(runs.Length), pass);
        var output = network.Suffix(tape, input, pass);
        input.Release();
        float[][] layers = [.. new[] { output.Filtered, output.Manifold, output.Representation }.Select(layer => device.Read<float>(layer.Value))];
        CrossEntropyStep.Run(tape, output.Logits, types, (float)Smoothing, 1f / runs.Length, losses);
        tape.Backward();
        var gradients = network.Parameters.Parameters.Where(parameter => parameter.Trains).ToDictionary(parameter => parameter.Name, parameter => device.Read<float>(parameter.Gradient), StringComparer.Ordinal);
        types.Storage.Dispose();
        losses.Storage.Dispose();
        return (gradients, [.. Enumerable.Range(0, runs.Length).Select(cell => layers.SelectMany(layer => layer.Chunk(layer.Length / runs.Length).ElementAt(cell)).Select(unit => unit > 0).ToArray())]);
    }

    private static string Group(string parameter) => parameter.Split('.') switch
    {
        ["token_emb", ..] => "bin embedding",
        ["pos_emb", ..] => "gene embedding",
        ["performer", "net", "layers", var block, ..] => $"block {block}",
        ["norm", ..] => "final norm",
        _ => "head",
    };

    private static string TrainableName(TrainableSet set) => TrainableParts.All.Single(part => part.Value == set).Name;
}
