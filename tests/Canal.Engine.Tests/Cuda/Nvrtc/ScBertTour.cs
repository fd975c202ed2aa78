using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Models;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Every operation at the sizes of scBERT, by running the model's own code on a device that only records.</summary>
internal sealed class ScBertTour
{
    public const int Cells = 14, Tokens = 1001, LongTokens = 16907, Types = 20;
    private const int ExpressedGenes = 200, Mixtures = 10;

    private readonly int architecture, multiprocessors;
    private readonly CudaPrecision precision;

    public ScBertTour(int architecture, CudaPrecision precision, int multiprocessors)
    {
        (this.architecture, this.precision, this.multiprocessors) = (architecture, precision, multiprocessors);
        Annotate = Record(Tokens, Cells, Label);
        AnnotateLong = Record(LongTokens, 1, Label);
        Train = Record(Tokens, Cells, LearnStep);
        Rest = [.. Record(Tokens, Cells, Pretrain), .. Record(Tokens, Cells, Explain), .. Record(Tokens, Cells, Others)];
    }

    /// <summary>Labelling 14 cells of 1,001 tokens.</summary>
    public IReadOnlyList<OperationRun> Annotate { get; }

    /// <summary>Labelling a cell of 16,907 tokens.</summary>
    public IReadOnlyList<OperationRun> AnnotateLong { get; }

    /// <summary>A step of learning with 14 cells of 1,001 tokens; the last-but-one block trains, the outputs of the frozen ones are there.</summary>
    public IReadOnlyList<OperationRun> Train { get; }

    /// <summary>A step of pre-training, gene attention, and what the engine has besides.</summary>
    public IReadOnlyList<OperationRun> Rest { get; }

    public IEnumerable<OperationRun> All => Annotate.Concat(Train).Concat(Rest);

    /// <summary>The programs of other geometries, which tests and small models use.</summary>
    public static IEnumerable<KernelProgram> OtherPrograms(int architecture, CudaPrecision precision)
    {
        // Attention on tensor cores is compiled for a number of features alone.
        if (precision == CudaPrecision.F16)
        {
            foreach (var features in new[] { 44, 512 }) yield return KernelPrograms.FavorTensor(features);
        }
        foreach (var (width, features) in new[] { (16, 44), (16, 33) })
        {
            using var device = new RecordingDevice(new RecordingRuntime(architecture, multiprocessors: 4), precision);
            var geometry = Geometry(31) with { Blocks = 1, Heads = 2, HeadWidth = width, Features = features };
            foreach (var job in new Action<RecordingDevice, EncoderGeometry, int>[] { Pretrain, Explain })
            {
                job(device, geometry, 2);
                foreach (var launch in device.Runs.SelectMany(run => run.Launches)) yield return launch.Program;
            }
        }
    }

    public static EncoderGeometry Geometry(int tokens) => new() { Positions = tokens, Width = 200, Blocks = 6, Heads = 10, HeadWidth = 64, Features = 266 };

    private List<OperationRun> Record(int tokens, int cells, Action<RecordingDevice, EncoderGeometry, int> job)
    {
        using var device = new RecordingDevice(new RecordingRuntime(architecture, multiprocessors), precision);
        job(device, Geometry(tokens), cells);
        return device.Runs;
    }

    private static void Label(RecordingDevice device, EncoderGeometry geometry, int cells)
    {
        using var model = new CellTypeModel(device, geometry, Types);
        device.Runs.Clear();
        using var tape = Tape.ForInference(device);
        var entries = new Shape(cells * ExpressedGenes);
        var tokens = device.Allocate(DType.UInt8, new Shape(cells, geometry.Positions));
        var (offsets, bins) = (device.Allocate(DType.Int32, new Shape(cells + 1)), device.Allocate(DType.UInt8, entries));
        device.Run(new BinCounts(bins, device.Allocate(entries), offsets));
        device.Run(new ExpandTokens(tokens, offsets, device.Allocate(DType.UInt16, entries), bins));
        var output = model.Forward(tape, tokens, new EncoderPass(cells));
        var best = new Shape(cells, 3);
        device.Run(new Prediction(device.Allocate(DType.Int32, best), device.Allocate(best), device.Allocate(new Shape(cells)), output.Logits.Value, 0.8f));
    }

    private static void LearnStep(RecordingDevice device, EncoderGeometry geometry, int cells)
    {
        using var model = new CellTypeModel(device, geometry, Types);
        model.Parameters.Train(TrainableSet.LastButOne);
        using var adam = new Adam(device, model.Parameters, new AdamSettings());
        using var tape = new Tape(device);
        var prefix = device.Allocate(new Shape(cells * geometry.Positions, geometry.Width));
        var labels = model.Labels(new int[cells]);
        var losses = device.Allocate(new Shape(cells));
        var previous = device.Allocate(new Shape(cells, CellTypeHead.RepresentationWidth));
        device.Runs.Clear();
        model.Parameters.ZeroGradients();
        var y = model.Encoder.Forward(tape, tape.Borrow(prefix), new EncoderPass(cells), model.Encoder.FrozenBlocks);
        var output = model.Head.Forward(tape, y, cells);
        CrossEntropyStep.Run(tape, output.Logits, labels, 0.1f, 1f / cells, losses);
        DistillationStep.Run(tape, output.Representation, previous, 1f, device.Allocate(new Shape(1)));
        tape.Backward();
        adam.Step(1e-4);
    }

    private static void Pretrain(RecordingDevice device, EncoderGeometry geometry, int cells)
    {
        using var parameters = new ParameterSet(device, [.. PerformerEncoder.Specify(geometry), .. MaskedExpressionHead.Specify(geometry)]);
        parameters.Train(TrainableSet.All);
        using var adam = new Adam(device, parameters, new AdamSettings());
        using var clipping = new GradientClipping(device, 100);
        using var tape = new Tape(device);
        var encoder = new PerformerEncoder(parameters, geometry);
        var rows = new Shape(cells * geometry.Positions);
        device.Runs.Clear();
        var x = encoder.Embed(tape, device.Allocate(DType.UInt8, new Shape(cells, geometry.Positions)));
        var logits = new MaskedExpressionHead(parameters).Forward(tape, encoder.Forward(tape, x, new EncoderPass(cells)));
        CrossEntropyStep.Run(tape, logits, device.Allocate(DType.Int32, rows), 0, 1, device.Allocate(rows));
        tape.Backward();
        adam.Step(1e-4, clipping.Measure(parameters));
    }

    private static void Explain(RecordingDevice device, EncoderGeometry geometry, int cells)
    {
        using var parameters = new ParameterSet(device, [.. PerformerEncoder.Specify(geometry)]);
        using var tape = Tape.ForInference(device);
        var tokens = device.Allocate(DType.UInt8, new Shape(cells, geometry.Positions));
        var (scores, weights) = (device.Allocate(new Shape(cells, geometry.Positions)), device.Allocate(new Shape(geometry.Blocks, geometry.Heads)));
        device.Runs.Clear();
        new PerformerEncoder(parameters, geometry).AddGeneAttention(tape, tokens, scores, weights, new EncoderPass(cells));
    }

    /// <summary>Operations that the jobs above do not reach.</summary>
    private static void Others(RecordingDevice device, EncoderGeometry geometry, int cells)
    {
        var matrix = new Shape(cells * geometry.Positions, geometry.Width);
        var (x, y) = (device.Allocate(matrix), device.Allocate(matrix));
        device.Run(new Fill(x, 0));
        device.Run(new Add(y, x));
        device.Run(new Operations.Convert(device.Allocate(DType.BFloat16, matrix), x));
        var manifold = new Shape(cells, CellTypeHead.ManifoldWidth);
        device.Run(new ManifoldMixing(
            device.Allocate(new Shape(cells, Mixtures, CellTypeHead.ManifoldWidth)), device.Allocate(manifold), device.Allocate(manifold), device.Allocate(new Shape(cells, Mixtures))));
    }
}
