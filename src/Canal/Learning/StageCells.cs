using System.Security.Cryptography;
using System.Text;
using Canal.Data;
using Canal.Models;

namespace Canal.Learning;

/// <summary>The labelled cells of one stage, as tokens. Tokens stay with the caller.</summary>
/// <param name="Name">The stage's name, else the content hash of its file: folds are drawn with it.</param>
/// <param name="Tokens">Tokens of the cells.</param>
/// <param name="CellIds">Their ids.</param>
/// <param name="Labels">Their cell types, trimmed.</param>
/// <param name="Checksum">Hash of the tokens, for telling other data from the same.</param>
public sealed record StageCells(string Name, ICellTokens Tokens, IReadOnlyList<string> CellIds, IReadOnlyList<string> Labels, string Checksum)
{
    /// <summary>Labelled cells that were prepared from a data set; they stay with the caller.</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="sourceHash">SHA-256 of the data set's contents.</param>
    /// <param name="simulated">Whether the data set says that it is simulated.</param>
    public static StageCells Of(PreparedCells cells, string sourceHash, bool simulated)
    {
        ArgumentNullException.ThrowIfNull(cells);
        return new StageCells(cells.Name, new StoredTokens(cells.Tokens), cells.CellIds, [.. cells.Labels.Select(label => cells.Types[label])], cells.Tokens.Checksum)
        {
            SourceHash = sourceHash,
            Simulated = simulated,
            LeftOut = cells.Report.Unlabelled + (cells.Report.KeepsLowQuality ? 0 : cells.Report.LowQuality),
        };
    }

    /// <summary>SHA-256 of the data's contents, for provenance.</summary>
    public string SourceHash { get; init; } = "";

    /// <summary>Cells of the data that were left out as of low quality or without a label.</summary>
    public int LeftOut { get; init; }

    /// <summary>Whether the data say that they are simulated.</summary>
    public bool Simulated { get; init; }

    /// <summary>Number of cells.</summary>
    public int Count => Tokens.Count;

    /// <summary>Hash of tokens, ids and labels.</summary>
    public string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{Name}\n{Checksum}\n"));
        for (var cell = 0; cell < Count; cell++) hash.AppendData(Encoding.UTF8.GetBytes($"{CellIds[cell]}\n{Labels[cell]}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Type index and fold of every cell.</summary>
    internal (int[] Labels, bool[] Validates) Divide(CellTypeLibrary library)
    {
        var labels = new int[Count];
        for (var cell = 0; cell < labels.Length; cell++) labels[cell] = library.IndexOf(Labels[cell]);
        return (labels, Folds.Validation(Name, CellIds, labels));
    }

    /// <summary>The cells as candidates for an example bank.</summary>
    internal BankCandidate[] Candidates(int[] labels, bool[] validates)
    {
        var candidates = new BankCandidate[Count];
        for (var cell = 0; cell < candidates.Length; cell++)
        {
            candidates[cell] = new BankCandidate(labels[cell], validates[cell], Folds.HashOf(Name, CellIds[cell]), Name, CellIds[cell]);
        }
        return candidates;
    }

    /// <summary>Tokens of one cell, copied.</summary>
    internal SparseTokens TokensOf(int cell)
    {
        var (positions, bins) = (new ushort[Tokens.EntryCount(cell)], new byte[Tokens.EntryCount(cell)]);
        Tokens.CopyTo(cell, positions, bins);
        return new SparseTokens(positions, bins);
    }
}
