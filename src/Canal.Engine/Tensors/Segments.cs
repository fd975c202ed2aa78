namespace Canal.Engine.Tensors;

/// <summary>A ragged batch: consecutive runs of rows, one a cell, without padding or masks.</summary>
/// <param name="Offsets">Int32 [Count + 1]: first row of each segment, then the total.</param>
/// <param name="Count">Number of segments.</param>
/// <param name="Total">Rows of all segments together.</param>
/// <param name="Longest">Rows of the longest segment.</param>
public readonly record struct Segments(Tensor Offsets, int Count, int Total, int Longest);
