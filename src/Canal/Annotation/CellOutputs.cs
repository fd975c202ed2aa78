namespace Canal.Annotation;

/// <summary>What a model computes for cells, in host memory: all that a novelty rule may look at.</summary>
/// <param name="Types">K: number of known cell types.</param>
/// <param name="Logits">[cells, K], row-major.</param>
/// <param name="Width">Length of a representation.</param>
/// <param name="Representations">[cells, Width], row-major.</param>
public sealed record CellOutputs(int Types, float[] Logits, int Width, float[] Representations)
{
    private IReadOnlyList<int>? selected;

    /// <summary>Number of cells.</summary>
    public int Cells => selected?.Count ?? (Types == 0 ? 0 : Logits.Length / Types);

    /// <summary>Logits of one cell.</summary>
    public ReadOnlySpan<float> LogitsOf(int cell) => Logits.AsSpan(Place(cell) * Types, Types);

    /// <summary>Representation of one cell.</summary>
    public ReadOnlySpan<float> RepresentationOf(int cell) => Representations.AsSpan(Place(cell) * Width, Width);

    /// <summary>The cells at some indices, in that order; nothing is copied.</summary>
    public CellOutputs Select(IReadOnlyList<int> cells) => this with { selected = selected is null ? cells : [.. cells.Select(Place)] };

    private int Place(int cell) => selected?[cell] ?? cell;
}
