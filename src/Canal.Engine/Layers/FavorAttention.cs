using Canal.Engine.Autograd;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>Multi-head FAVOR+ attention with its projections: q, k, v without bias, the output with one (method.md section 2).</summary>
public sealed class FavorAttention
{
    private readonly EncoderGeometry geometry;

    /// <summary>The attention whose parameters start with <paramref name="name"/>.</summary>
    public FavorAttention(ParameterSet parameters, string name, EncoderGeometry geometry)
    {
        this.geometry = geometry;
        Projection = parameters[name + ".fast_attention.projection_matrix"];
        Query = new Linear(parameters, name + ".to_q");
        Key = new Linear(parameters, name + ".to_k");
        Value = new Linear(parameters, name + ".to_v");
        Output = new Linear(parameters, name + ".to_out");
    }

    /// <summary>[M, D], block-orthogonal Gaussian; never trained.</summary>
    public Parameter Projection { get; }

    /// <summary>[H·D, C].</summary>
    public Linear Query { get; }

    /// <summary>[H·D, C].</summary>
    public Linear Key { get; }

    /// <summary>[H·D, C].</summary>
    public Linear Value { get; }

    /// <summary>[C, H·D], with a bias.</summary>
    public Linear Output { get; }

    /// <summary>residual + attention of <paramref name="h"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="h">[B·T, C], normalised; its element type is that of all activations up to the output projection.</param>
    /// <param name="residual">[B·T, C].</param>
    /// <param name="pass">Cells and scope.</param>
    /// <returns>[B·T, C].</returns>
    public Variable Forward(Tape tape, Variable h, Variable residual, EncoderPass pass)
    {
        var q = Query.Forward(tape, h);
        var k = Key.Forward(tape, h);
        var v = Value.Forward(tape, h);
        var attended = FavorAttentionStep.Run(tape, q, k, v, Projection, geometry.Attention(pass));
        q.Release();
        k.Release();
        v.Release();
        var y = Output.Forward(tape, attended, residual);
        attended.Release();
        return y;
    }

    internal static IEnumerable<ParameterSpecification> Specify(string name, EncoderGeometry geometry, ParameterGroup group, int block)
    {
        var (width, inner) = (geometry.Width, geometry.InnerWidth);
        yield return new(name + ".fast_attention.projection_matrix", new Shape(geometry.Features, geometry.HeadWidth), ParameterGroup.Projections,
            new Initialisation(InitialisationKind.Projection, 1.0, block));
        foreach (var linear in (string[])["to_q", "to_k", "to_v"])
        {
            foreach (var specification in Linear.Specify($"{name}.{linear}", width, inner, group, bias: false)) yield return specification;
        }
        foreach (var specification in Linear.Specify(name + ".to_out", inner, width, group)) yield return specification;
    }
}
