using Canal.Engine.Operations;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>How many exponentials operations need at least, which the special function units do at a sixteenth of a multiprocessor's float32 rate.</summary>
internal static class Exponentials
{
    /// <summary>Features are recomputed wherever they are used: keys and queries forward; backward the queries for dS and for dq, the keys once; gene attention the keys twice, the queries once.</summary>
    public static long Of(IOperation operation) => operation switch
    {
        FavorForward forward => 2 * Features(forward.Sizes),
        FavorBackward backward => 3 * Features(backward.Sizes),
        GeneAttention attention => 3 * Features(attention.Sizes),
        GeluForward gelu => gelu.X.Count,
        GeluBackward gelu => 2 * gelu.X.Count,
        CrossEntropyForward loss => loss.Logits.Count,
        CrossEntropyBackward loss => loss.Logits.Count,
        Prediction prediction => 2 * prediction.Logits.Count,
        _ => 0,
    };

    /// <summary>Whether most of the arithmetic is products of features, which tensor cores do in half precision.</summary>
    public static bool IsAttention(IOperation operation) => operation is FavorForward or FavorBackward or GeneAttention;

    private static long Features(FavorSizes sizes) => (long)sizes.Cells * sizes.Tokens * sizes.Heads * sizes.Features;
}
