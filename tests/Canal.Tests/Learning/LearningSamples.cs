using Canal.Data;
using Canal.Engine.Random;
using Canal.Learning;
using Canal.Models;

namespace Canal.Tests.Learning;

/// <summary>Small made-up stages: each cell type has a few genes of its own, over a background.</summary>
internal static class LearningSamples
{
    public const int Genes = 30;

    public static GenePanel Panel { get; } = GenePanel.All(new GeneVocabulary(Enumerable.Range(0, Genes).Select(g => $"GENE{g}")));

    public static AnnotationModel Fresh(int blocks = 3, ulong seed = 3) => AnnotationModel.Create(
        new ModelConfiguration { Genes = Genes, Width = 16, Blocks = blocks, Heads = 2, HeadWidth = 8, Features = 16 }, Panel, CellTypeLibrary.Empty, seed);

    /// <summary>A stage of cells of the given types; a type's index is its place in the alphabet of marker sets.</summary>
    public static StageCells Stage(string name, int cellsPerType, params int[] types)
    {
        var (tokens, ids, labels) = (new ListTokens(), new List<string>(), new List<string>());
        foreach (var type in types)
        {
            for (var cell = 0; cell < cellsPerType; cell++)
            {
                var draws = new RandomSequence(17, RandomPurpose.Testing, type, index: cell + (1000 * name.Length));
                var (positions, bins) = (new List<ushort>(), new List<byte>());
                for (var gene = 0; gene < Genes; gene++)
                {
                    var marker = gene / 4 == type;
                    if (draws.NextDouble() > (marker ? 0.9 : 0.25)) continue;
                    positions.Add((ushort)gene);
                    bins.Add((byte)((marker ? 3 : 1) + draws.NextInt(2)));
                }
                tokens.Cells.Add(([.. positions], [.. bins]));
                ids.Add($"{name}-{type}-{cell}");
                labels.Add($"type {type}");
            }
        }
        return new StageCells(name, tokens, ids, labels, name + cellsPerType) { SourceHash = "00" };
    }

    /// <summary>A data set in memory: counts of cells of three types in turn, with a column <c>cell_type</c> and one <c>half</c>.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cells">How many cells.</param>
    /// <param name="order">The order they come in; null for their own.</param>
    public static MemoryExpressionFile File(string name, int cells, int[]? order = null)
    {
        var counts = new double[cells, Genes];
        order ??= [.. Enumerable.Range(0, cells)];
        for (var row = 0; row < cells; row++)
        {
            var cell = order[row];
            var draws = new RandomSequence(23, RandomPurpose.Testing, name.Length, index: cell);
            for (var gene = 0; gene < Genes; gene++)
            {
                var marker = gene / 4 == cell % 3;
                counts[row, gene] = draws.NextDouble() > (marker ? 0.9 : 0.3) ? 0 : 1 + draws.NextInt(marker ? 40 : 3);
            }
        }
        return new MemoryExpressionFile(name, [.. order.Select(c => $"{name}-{c}")])
            .WithMatrix("X", counts, Panel.Symbols)
            .WithObs("cell_type", [.. order.Select(c => $"type {c % 3}")])
            .WithObs("half", [.. order.Select(c => c * 7 % 5 < 2 ? "first" : "second")]);
    }

    public static LearningSettings Settings { get; } = new() { MaxEpochs = 3, Rate = 2e-3, Batch = 7, BankCapacity = 30, Seed = 5 };

    internal sealed class ListTokens : ICellTokens
    {
        public List<(ushort[] Positions, byte[] Bins)> Cells { get; } = [];

        public int Count => Cells.Count;

        public int EntryCount(int cell) => Cells[cell].Positions.Length;

        public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins)
        {
            Cells[cell].Positions.CopyTo(positions);
            Cells[cell].Bins.CopyTo(bins);
        }
    }
}
