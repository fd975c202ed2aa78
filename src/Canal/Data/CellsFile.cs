using System.Text.Json;
using Canal.Engine.Operations;
using Canal.Models;

namespace Canal.Data;

/// <summary>
/// Prepared cells in a file of their own: tokens of one panel, names, labels and folds, without the counts that they came from. For machines
/// without libhdf5, and for measuring: what is read is what was prepared, bit for bit.
/// </summary>
/// <remarks>
/// A .safetensors file. Metadata (JSON): <c>canal.cells</c> (name, simulated), <c>canal.cells.genes</c> (symbols of the panel, in its order),
/// <c>canal.cells.types</c>, <c>canal.cells.ids</c>. Tensors, N cells with E tokens in all: <c>indptr</c> [N + 1], <c>gene</c> [E] (positions in
/// the panel, ascending in a cell), <c>bin</c> [E] (1 to 5), <c>label</c> [N] (place in the types, -1 for none), <c>fold</c> [N] (1: validation),
/// <c>quality</c> [N] (1: low).
/// </remarks>
public static class CellsFile
{
    private const string Key = "canal.cells", Genes = Key + ".genes", Types = Key + ".types", Ids = Key + ".ids";

    /// <summary>Replaces a file by prepared cells. The same cells give the same bytes.</summary>
    /// <exception cref="UserException">The folder does not exist or may not be written to.</exception>
    /// <exception cref="MachineException">The disk is full or failed.</exception>
    public static void Save(PreparedCells cells, string path)
    {
        ArgumentNullException.ThrowIfNull(cells);
        var store = cells.Tokens;
        var offsets = new long[cells.Count + 1];
        for (var cell = 0; cell < cells.Count; cell++) offsets[cell + 1] = offsets[cell] + store.EntryCount(cell);
        var (genes, bins) = (new int[offsets[^1]], new byte[offsets[^1]]);
        for (var cell = 0; cell < cells.Count; cell++)
        {
            var positions = store.Positions(cell);
            for (var i = 0; i < positions.Length; i++) genes[offsets[cell] + i] = positions[i];
            store.Bins(cell).CopyTo(bins.AsSpan(checked((int)offsets[cell])));
        }
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Key] = JsonSerializer.Serialize(new Header(cells.Name, cells.Report.Simulated), ModelFile.Json),
            [Genes] = JsonSerializer.Serialize(cells.Panel.Symbols, ModelFile.Json),
            [Types] = JsonSerializer.Serialize(cells.Types, ModelFile.Json),
            [Ids] = JsonSerializer.Serialize(cells.CellIds, ModelFile.Json),
        };
        SafetensorsWriter.Write(path,
        [
            SafetensorsTensor.Of("indptr", [offsets.Length], offsets),
            SafetensorsTensor.Of("gene", [genes.Length], genes),
            SafetensorsTensor.Of("bin", [bins.Length], bins),
            SafetensorsTensor.Of("label", [cells.Count], [.. cells.Labels]),
            SafetensorsTensor.Of("fold", [cells.Count], Flags(cells.Validation)),
            SafetensorsTensor.Of("quality", [cells.Count], Flags(cells.LowQuality)),
        ], metadata);
    }

    /// <summary>Reads cells that were prepared for a panel.</summary>
    /// <param name="path">The file.</param>
    /// <param name="panel">The panel of the model that is to look at them.</param>
    /// <exception cref="UserException">The file is missing, damaged, none of cells, or of another panel; one line says which.</exception>
    public static PreparedCells Load(string path, GenePanel panel)
    {
        ArgumentNullException.ThrowIfNull(panel);
        using var reader = SafetensorsReader.Open(path);
        if (!reader.Metadata.ContainsKey(Key)) throw new UserException($"{path}: this holds no prepared cells.");
        try
        {
            return Read(reader, panel);
        }
        catch (Exception error) when (error is JsonException or ArgumentException or FormatException or OverflowException)
        {
            throw new UserException($"{path}: damaged cells: {error.Message.Split('\n')[0].TrimEnd('.')}; make the file again.", error);
        }
    }

    private static PreparedCells Read(SafetensorsReader reader, GenePanel panel)
    {
        if (!ModelFile.Parse<List<string>>(reader, Genes).SequenceEqual(panel.Symbols, StringComparer.Ordinal))
        {
            throw new UserException($"{reader.Path}: these cells were prepared for a model with other genes; make the file again with this model.");
        }
        var header = ModelFile.Parse<Header>(reader, Key);
        var (types, ids) = (ModelFile.Parse<List<string>>(reader, Types), ModelFile.Parse<List<string>>(reader, Ids));
        var (offsets, genes, bins) = (reader.ReadInt32("indptr"), reader.ReadInt32("gene"), reader.ReadInt32("bin"));
        var (labels, folds, quality) = (reader.ReadInt32("label"), reader.ReadInt32("fold"), reader.ReadInt32("quality"));
        var cells = ids.Count;
        Require(labels.Length == cells && folds.Length == cells && quality.Length == cells, "lists of different lengths");
        Require(offsets.Length == cells + 1 && offsets[0] == 0 && offsets[^1] == genes.Length && bins.Length == genes.Length, "offsets that do not fit the tokens");
        Require(labels.All(label => label >= -1 && label < types.Count), "a label without a type");
        Require(bins.All(bin => bin is >= 1 and <= BinRule.Highest), "a bin that there is not");
        using var writer = new TokenStoreWriter(panel.Count);
        for (var cell = 0; cell < cells; cell++)
        {
            Require(offsets[cell] <= offsets[cell + 1], "offsets that fall");
            var own = offsets[cell]..offsets[cell + 1];
            writer.Add(Array.ConvertAll(genes[own], gene => checked((ushort)gene)), Array.ConvertAll(bins[own], bin => (byte)bin));
        }
        return new PreparedCells
        {
            Name = header.Name,
            Panel = panel,
            Tokens = writer.Finish(),
            CellIds = ids,
            Rows = [.. Enumerable.Range(0, cells)],
            Labels = labels,
            Types = types,
            LowQuality = Array.ConvertAll(quality, flag => flag != 0),
            Validation = Array.ConvertAll(folds, fold => fold != 0),
            Report = Report(reader.Path, panel, header, types, labels, quality),
        };
    }

    private static DataSetReport Report(string path, GenePanel panel, Header header, List<string> types, int[] labels, int[] quality) => new()
    {
        Path = path,
        FileCells = labels.Length,
        SelectedCells = labels.Length,
        UsedCells = labels.Length,
        Unlabelled = 0,
        LowQuality = quality.Count(flag => flag != 0),
        KeepsLowQuality = true,
        FewestGenes = 0,
        Source = new CountSource("tokens", ExpressionState.Counts, 0, false, "cells prepared before", []),
        GeneColumn = "symbol",
        FileGenes = panel.Count,
        KeptGenes = panel.Count,
        PanelGenes = panel.Count,
        PanelCovered = panel.Count,
        PanelExpressed = panel.Count,
        Types = [.. types.Select((type, place) => KeyValuePair.Create(type, labels.Count(label => label == place)))],
        Simulated = header.Simulated,
        Warnings = [],
    };

    private static byte[] Flags(IReadOnlyList<bool> flags) => [.. flags.Select(flag => (byte)(flag ? 1 : 0))];

    private static void Require(bool holds, string fault)
    {
        if (!holds) throw new FormatException($"there are {fault}");
    }

    private sealed record Header(string Name, bool Simulated);
}
