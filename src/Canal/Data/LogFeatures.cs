using System.Runtime.InteropServices;

namespace Canal.Data;

/// <summary>Sparse log features log2(1 + v) of cells on a gene panel, v normalised to 10,000 over the aligned genes: what the baseline is trained on.</summary>
public sealed class LogFeatures
{
    private readonly List<long> offsets = [0];
    private readonly List<ushort> positions = [];
    private readonly List<float> values = [];

    internal LogFeatures(int panelGenes) => PanelGenes = panelGenes;

    /// <summary>Number of genes of the panel.</summary>
    public int PanelGenes { get; }

    /// <summary>Number of cells.</summary>
    public int Cells => offsets.Count - 1;

    /// <summary>Panel positions of a cell's expressed genes, ascending.</summary>
    public ReadOnlySpan<ushort> Positions(int cell) => CollectionsMarshal.AsSpan(positions)[(int)offsets[cell]..(int)offsets[cell + 1]];

    /// <summary>Their log features, rounded to float32.</summary>
    public ReadOnlySpan<float> Values(int cell) => CollectionsMarshal.AsSpan(values)[(int)offsets[cell]..(int)offsets[cell + 1]];

    internal void Add(ReadOnlySpan<ushort> cellPositions, ReadOnlySpan<float> cellValues)
    {
        positions.AddRange(cellPositions);
        values.AddRange(cellValues);
        offsets.Add(positions.Count);
    }
}
