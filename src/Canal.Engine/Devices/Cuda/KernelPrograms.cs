using System.Collections.Concurrent;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>The programs that do not depend on a model's geometry, and those that do.</summary>
public static class KernelPrograms
{
    /// <summary>Everything a number at a time or a row at a time.</summary>
    public static KernelProgram Elementwise { get; } = new(
        "elementwise", ["elementwise.cu", "bias.cu", "column_sum.cu", "gelu.cu", "relu.cu", "layer_norm.cu", "head_filter.cu"], []);

    /// <summary>Tokens, the encoder's input and the tables' gradients.</summary>
    public static KernelProgram Embedding { get; } = new("embedding", ["bin_counts.cu", "expand_tokens.cu", "embedding.cu"], []);

    /// <summary>What follows the logits, and the optimiser.</summary>
    public static KernelProgram Losses { get; } = new(
        "losses", ["cross_entropy.cu", "distillation.cu", "prediction.cu", "manifold_mixing.cu", "adam.cu", "gradient_norm.cu"], []);

    /// <summary>All programs without a geometry.</summary>
    public static IReadOnlyList<KernelProgram> General { get; } = [Elementwise, Embedding, Losses];

    private static readonly ConcurrentDictionary<(FavorPass Pass, int HeadWidth, int Features, DType Type), KernelProgram> FavorPrograms = [];

    /// <summary>FAVOR+ attention without tensor cores for one head width, number of features and element type; the same program every time.</summary>
    internal static KernelProgram Favor(FavorPass pass, int headWidth, int features, DType type) =>
        FavorPrograms.GetOrAdd((pass, headWidth, features, type), static key => Favor(key.Pass, new FavorGeometry(key.HeadWidth, key.Features), key.Type));

    private static KernelProgram Favor(FavorPass pass, FavorGeometry geometry, DType type)
    {
        var (name, files) = pass switch
        {
            FavorPass.Forward => ("favor-forward", new[] { "favor_keys.cu", "favor_totals.cu", "favor_queries.cu" }),
            FavorPass.Backward => ("favor-backward", ["favor_totals.cu", "favor_query_gradients.cu", "favor_query_sums.cu", "favor_key_gradients.cu"]),
            _ => ("gene-attention", ["favor_keys.cu", "favor_totals.cu", "gene_attention.cu"]),
        };
        var element = type switch
        {
            DType.Float32 => "f32",
            DType.Float16 => "f16",
            DType.BFloat16 => "bf16",
            _ => throw new NotSupportedException($"{name}: no kernel for {type}."),
        };
        string[] defines = [$"ELEMENT={element}", $"VALUES={(pass == FavorPass.GeneAttention ? 0 : 1)}", .. geometry.Defines];
        return new KernelProgram($"{name}-{geometry.HeadWidth}-{geometry.Features}-{element}", files, defines);
    }

    private static readonly ConcurrentDictionary<int, KernelProgram> FavorTensorPrograms = [];

    /// <summary>FAVOR+ attention on tensor cores, heads of width 64, for a number of features; the same program every time.</summary>
    public static KernelProgram FavorTensor(int features) => FavorTensorPrograms.GetOrAdd(features, static features => new KernelProgram(
        $"favor-tensor-{features}",
        ["favor_tensor_sums.cu", "favor_tensor_merge.cu", "favor_tensor_queries.cu", "favor_tensor_query_gradients.cu", "favor_tensor_key_gradients.cu"],
        [$"FEATURES={features}"]));
}

/// <summary>Which of the FAVOR+ operations a program serves: each compiles its own at first use.</summary>
internal enum FavorPass : byte
{
    /// <summary>FavorForward.</summary>
    Forward,

    /// <summary>FavorBackward.</summary>
    Backward,

    /// <summary>GeneAttention.</summary>
    GeneAttention,
}
