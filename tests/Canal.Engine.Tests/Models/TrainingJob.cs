using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>A model, a batch and an optimiser on one device.</summary>
internal sealed class TrainingJob : IDisposable
{
    public const int Cells = 5, Types = 4;

    private readonly Device device;
    private readonly Adam? adam;
    private readonly Tape tape;

    public TrainingJob(Device device, TrainableSet set)
    {
        this.device = device;
        Model = new CellTypeModel(device, Geometry, Types);
        Model.Parameters.Initialise(1);
        Model.Parameters.Train(set);
        adam = set == TrainableSet.None ? null : new Adam(device, Model.Parameters, new AdamSettings());
        tape = new Tape(device);
        Tokens = Model.Tokens(Sample.Integers(2, Cells * Geometry.Positions, 0, 7));
        Labels = Model.Labels(Sample.Integers(3, Cells, 0, Types));
        Losses = Model.Values(new Shape(Cells), new float[Cells]);
    }

    public static EncoderGeometry Geometry { get; } = new() { Positions = 37, Width = 24, Blocks = 4, Heads = 3, HeadWidth = 8, Features = 17 };

    public CellTypeModel Model { get; }

    public Tensor Tokens { get; }

    public Tensor Labels { get; }

    public Tensor Losses { get; }

    public bool Recompute { get; init; }

    public Tensor Prefix { get; set; }

    public void Step()
    {
        Prepare();
        Prepared();
    }

    /// <summary>A step's operations, after what changes from step to step went to the device.</summary>
    public void Prepared()
    {
        var encoder = Model.Encoder;
        var pass = new EncoderPass(Cells, Recompute: Recompute);
        Model.Parameters.ZeroGradients();
        var x = Prefix.IsNone ? encoder.Embed(tape, Tokens) : tape.Borrow(Prefix);
        var y = encoder.Forward(tape, x, pass, first: Prefix.IsNone ? 0 : encoder.FrozenBlocks);
        x.Release();
        var output = Model.Head.Forward(tape, y, Cells);
        y.Release();
        CrossEntropyStep.Run(tape, output.Logits, Labels, 0.1f, 1f / Cells, Losses);
        tape.Backward();
        tape.Clear();
        adam!.Update();
    }

    /// <summary>Sends what changes from step to step, as <see cref="Step"/> does.</summary>
    public void Prepare() => adam!.Prepare(1e-3);

    public float[] Everything() =>
        [.. device.Read<float>(Losses), .. device.Read<float>(Model.Parameters.Gradients), .. Model.Parameters.Parameters.SelectMany(parameter => Model.Parameters.Read(parameter.Name))];

    public void Dispose()
    {
        tape.Dispose();
        adam?.Dispose();
        Model.Dispose();
    }
}
