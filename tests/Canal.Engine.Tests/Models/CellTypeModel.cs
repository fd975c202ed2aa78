using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>Encoder and cell-type head on a device, with what the tests of whole models repeat.</summary>
internal sealed class CellTypeModel : IDisposable
{
    private readonly List<Tensor> uploaded = [];

    public CellTypeModel(Device device, EncoderGeometry geometry, int types)
    {
        Device = device;
        Geometry = geometry;
        Parameters = new ParameterSet(device, [.. PerformerEncoder.Specify(geometry), .. CellTypeHead.Specify(geometry, types)]);
        Encoder = new PerformerEncoder(Parameters, geometry);
        Head = new CellTypeHead(Parameters);
    }

    public static EncoderGeometry Tiny { get; } = new() { Positions = 31, Width = 20, Blocks = 2, Heads = 2, HeadWidth = 16, Features = 44 };

    public Device Device { get; }

    public EncoderGeometry Geometry { get; }

    public ParameterSet Parameters { get; }

    public PerformerEncoder Encoder { get; }

    public CellTypeHead Head { get; }

    /// <summary>Replaces every parameter that the file holds, and demands that it holds all of them unless told otherwise.</summary>
    public CellTypeModel Load(GoldenTensors weights, bool all = true)
    {
        foreach (var parameter in Parameters.Parameters)
        {
            if (all || weights.Has(parameter.Name)) Parameters.Write(parameter.Name, weights.Floats(parameter.Name));
        }
        return this;
    }

    /// <summary>Tokens [B, T] on the device.</summary>
    public Tensor Tokens(ReadOnlySpan<int> tokens)
    {
        var bytes = new byte[tokens.Length];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = checked((byte)tokens[i]);
        return Upload<byte>(DType.UInt8, new Shape(bytes.Length / Geometry.Positions, Geometry.Positions), bytes);
    }

    /// <summary>Labels on the device.</summary>
    public Tensor Labels(int[] labels) => Upload<int>(DType.Int32, new Shape(labels.Length), labels);

    /// <summary>Float32 values on the device.</summary>
    public Tensor Values(Shape shape, float[] values) => Upload<float>(DType.Float32, shape, values);

    /// <summary>Embedding, all blocks, final norm and head.</summary>
    public CellTypeOutput Forward(Tape tape, Tensor tokens, EncoderPass pass)
    {
        var x = Encoder.Embed(tape, tokens);
        var y = Encoder.Forward(tape, x, pass);
        x.Release();
        var output = Head.Forward(tape, y, pass.Cells);
        y.Release();
        return output;
    }

    /// <summary>Forward, cross-entropy with mean over the cells, backward; gradients are added to those already there. Returns each cell's loss.</summary>
    public float[] Step(Tape tape, Tensor tokens, Tensor labels, EncoderPass pass, Tensor losses, float smoothing = 0.1f)
    {
        var output = Forward(tape, tokens, pass);
        CrossEntropyStep.Run(tape, output.Logits, labels, smoothing, 1f / pass.Cells, losses);
        tape.Backward();
        tape.Clear();
        return Device.Read<float>(losses);
    }

    public static EncoderPass Pass(int cells, KeyMaximumScope scope, bool recompute = false) => new(cells, scope, recompute);

    public void Dispose()
    {
        foreach (var tensor in uploaded) tensor.Storage.Dispose();
        Parameters.Dispose();
    }

    private Tensor Upload<T>(DType type, Shape shape, ReadOnlySpan<T> values) where T : unmanaged
    {
        var tensor = Device.Allocate(type, shape);
        Device.Write(tensor, values);
        uploaded.Add(tensor);
        return tensor;
    }
}
