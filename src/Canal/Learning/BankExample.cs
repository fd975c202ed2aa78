namespace Canal.Learning;

/// <summary>A cell that a model keeps: what later stages train or validate on.</summary>
/// <param name="Label">Index of its type in the library.</param>
/// <param name="Validates">Whether it is of the validation fold, for ever.</param>
/// <param name="Stage">The stage it came in, from 1.</param>
/// <param name="Rank">Its place, from 1, among the cells of its type, fold and stage; kept for ever.</param>
/// <param name="Source">The data set it came from, as its fold was drawn with.</param>
/// <param name="CellId">Its name there.</param>
/// <param name="Positions">Panel positions of its non-zero tokens, ascending.</param>
/// <param name="Bins">The expression bins there, 1 to 5.</param>
public sealed record BankExample(int Label, bool Validates, int Stage, int Rank, string Source, string CellId, ushort[] Positions, byte[] Bins);

/// <summary>A cell of the stage just learned, on offer to the bank.</summary>
/// <param name="Label">Index of its type in the library.</param>
/// <param name="Validates">Whether it is of the validation fold.</param>
/// <param name="FoldHash">The hash that its fold was drawn with: validation cells are taken in its order, typical and odd alike.</param>
/// <param name="Source">The data set it came from, as its fold was drawn with.</param>
/// <param name="CellId">Its name there.</param>
public readonly record struct BankCandidate(int Label, bool Validates, ulong FoldHash, string Source, string CellId);

/// <summary>A cell's non-zero tokens.</summary>
/// <param name="Positions">Panel positions, ascending.</param>
/// <param name="Bins">The expression bins there, 1 to 5.</param>
public readonly record struct SparseTokens(ushort[] Positions, byte[] Bins);
