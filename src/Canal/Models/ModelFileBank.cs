using System.Text.Json;
using Canal.Learning;

namespace Canal.Models;

/// <summary>The example bank in a model file: compressed sparse rows of panel positions and bins, and the names of the cells.</summary>
internal static class ModelFileBank
{
    private const string Key = "canal.bank", Prefix = "canal.bank.";
    private const int HighestBin = 5;

    /// <summary>Adds a bank's tensors and metadata.</summary>
    public static void Write(ExampleBank bank, List<SafetensorsTensor> tensors, Dictionary<string, string> metadata)
    {
        var examples = bank.Examples;
        var sources = examples.Select(e => e.Source).Distinct(StringComparer.Ordinal).ToList();
        metadata[Key] = JsonSerializer.Serialize(
            new Names(bank.Capacity, sources, [.. examples.Select(e => sources.IndexOf(e.Source))], [.. examples.Select(e => e.CellId)]), ModelFile.Json);
        var offsets = new long[examples.Count + 1];
        for (var cell = 0; cell < examples.Count; cell++) offsets[cell + 1] = offsets[cell] + examples[cell].Positions.Length;
        tensors.Add(SafetensorsTensor.Of(Prefix + "indptr", [offsets.Length], offsets));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene", [offsets[^1]], [.. examples.SelectMany(e => e.Positions.Select(p => (int)p))]));
        tensors.Add(SafetensorsTensor.Of(Prefix + "bin", [offsets[^1]], examples.SelectMany(e => e.Bins).ToArray()));
        tensors.Add(SafetensorsTensor.Of(Prefix + "label", [examples.Count], [.. examples.Select(e => e.Label)]));
        tensors.Add(SafetensorsTensor.Of(Prefix + "fold", [examples.Count], examples.Select(e => (byte)(e.Validates ? 1 : 0)).ToArray()));
        tensors.Add(SafetensorsTensor.Of(Prefix + "stage", [examples.Count], [.. examples.Select(e => e.Stage)]));
        tensors.Add(SafetensorsTensor.Of(Prefix + "rank", [examples.Count], [.. examples.Select(e => e.Rank)]));
    }

    /// <summary>Reads a bank and checks every number in it.</summary>
    /// <exception cref="FormatException">Something in it cannot be; the message says what.</exception>
    public static ExampleBank Read(SafetensorsReader reader, int types, int genes)
    {
        var names = ModelFile.Parse<Names>(reader, Key);
        var cells = names.Cells.Count;
        var (offsets, positions, bins) = (reader.ReadInt32(Prefix + "indptr"), reader.ReadInt32(Prefix + "gene"), reader.ReadInt32(Prefix + "bin"));
        var (labels, folds) = (reader.ReadInt32(Prefix + "label"), reader.ReadInt32(Prefix + "fold"));
        var (stages, ranks) = (reader.ReadInt32(Prefix + "stage"), reader.ReadInt32(Prefix + "rank"));
        Require(names.CellSources.Count == cells && labels.Length == cells && folds.Length == cells && stages.Length == cells && ranks.Length == cells, "lists of different lengths");
        Require(offsets.Length == cells + 1 && offsets[0] == 0 && offsets[^1] == positions.Length && bins.Length == positions.Length, "offsets that do not fit its tokens");
        Require(!names.Sources.Contains(null!) && !names.Cells.Contains(null!), "cells without names");
        Require(names.Capacity >= cells, $"{cells} cells in {names.Capacity} places");
        var examples = new BankExample[cells];
        for (var cell = 0; cell < cells; cell++)
        {
            Require(offsets[cell] <= offsets[cell + 1] && offsets[cell + 1] <= positions.Length, "offsets that fall");
            Require(labels[cell] >= 0 && labels[cell] < types && folds[cell] is 0 or 1 && stages[cell] >= 1 && ranks[cell] >= 1, $"an impossible type, fold, stage or rank at cell {cell}");
            Require(names.CellSources[cell] >= 0 && names.CellSources[cell] < names.Sources.Count, $"no source at cell {cell}");
            var (own, ownBins) = (positions[offsets[cell]..offsets[cell + 1]], bins[offsets[cell]..offsets[cell + 1]]);
            for (var i = 0; i < own.Length; i++)
            {
                Require(own[i] > (i == 0 ? -1 : own[i - 1]) && own[i] < genes && ownBins[i] is >= 1 and <= HighestBin, $"an impossible token at cell {cell}");
            }
            examples[cell] = new BankExample(
                labels[cell], folds[cell] == 1, stages[cell], ranks[cell], names.Sources[names.CellSources[cell]], names.Cells[cell],
                Array.ConvertAll(own, position => (ushort)position), Array.ConvertAll(ownBins, bin => (byte)bin));
        }
        return new ExampleBank(names.Capacity, examples);
    }

    private static void Require(bool holds, string fault)
    {
        if (!holds) throw new FormatException($"its example bank has {fault}");
    }

    private sealed record Names(int Capacity, List<string> Sources, List<int> CellSources, List<string> Cells);
}
