using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Models;

namespace Canal.Learning;

/// <summary>An encoder with a cell-type head over one parameter set on a device: what trains and what predicts.</summary>
public sealed class CellTypeNetwork : IDisposable
{
    /// <summary>Uploads a model; nothing trains yet.</summary>
    /// <exception cref="UserException">It is a base model, which knows no cell types.</exception>
    public CellTypeNetwork(Device device, AnnotationModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Kind != ModelKind.Annotation) throw new UserException("This is a base model, which knows no cell types yet; teach it some with 'canal learn'.");
        Device = device;
        Parameters = model.CreateParameters(device);
        Encoder = new PerformerEncoder(Parameters, model.Configuration.Encoder());
        Head = new CellTypeHead(Parameters);
        (ManifoldWidth, RepresentationWidth) = (model.Configuration.Manifold, model.Configuration.Representation);
    }

    /// <summary>Where it lives.</summary>
    public Device Device { get; }

    /// <summary>All parameters, under their PyTorch names.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>The encoder.</summary>
    public PerformerEncoder Encoder { get; }

    /// <summary>The head.</summary>
    public CellTypeHead Head { get; }

    /// <summary>Units of the manifold layer.</summary>
    public int ManifoldWidth { get; }

    /// <summary>Units of the representation.</summary>
    public int RepresentationWidth { get; }

    /// <summary>K.</summary>
    public int Types => Head.Types;

    /// <summary>Genes of the panel.</summary>
    public int Genes => Encoder.Geometry.Positions - 1;

    /// <summary>Values of one cell between two blocks.</summary>
    public int ActivationWidth => checked(Encoder.Geometry.Positions * Encoder.Geometry.Width);

    /// <summary>Embedding and frozen blocks: the input of the first block that trains, which is constant for a cell (method.md section 6).</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="tokens">UInt8 [B, T], kept until after the backward pass.</param>
    /// <param name="pass">Cells, scope, recomputation.</param>
    /// <returns>[B·T, C]; the caller releases it.</returns>
    internal Variable Prefix(Tape tape, Tensor tokens, EncoderPass pass)
    {
        var embedded = Encoder.Embed(tape, tokens);
        var prefix = Encoder.RunBlocks(tape, embedded, pass, 0, Encoder.FrozenBlocks);
        embedded.Release();
        return prefix;
    }

    /// <summary>The rest: from the input of the first block that trains to the logits.</summary>
    internal CellTypeOutput Suffix(Tape tape, Variable prefix, EncoderPass pass)
    {
        var y = Encoder.Forward(tape, prefix, pass, Encoder.FrozenBlocks);
        var output = Head.Forward(tape, y, pass.Cells);
        y.Release();
        return output;
    }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();
}
