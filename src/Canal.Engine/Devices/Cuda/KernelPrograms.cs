using System.Collections.Concurrent;

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

    private static readonly ConcurrentDictionary<(int HeadWidth, int Features), KernelProgram> FavorPrograms = [];

    /// <summary>FAVOR+ attention without tensor cores, for one head width and number of features; the same program every time.</summary>
    public static KernelProgram Favor(int headWidth, int features) => FavorPrograms.GetOrAdd((headWidth, features), static pair => new KernelProgram(
        $"favor-{pair.HeadWidth}-{pair.Features}", ["favor_keys.cu", "favor_queries.cu"], new FavorGeometry(pair.HeadWidth, pair.Features).Defines));
}
