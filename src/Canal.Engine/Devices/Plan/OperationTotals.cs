namespace Canal.Engine.Devices.Plan;

/// <summary>What all runs of one operation add up to.</summary>
/// <param name="Runs">How often it ran.</param>
/// <param name="Flops">Floating-point operations, an FMA counted as two.</param>
/// <param name="Bytes">Bytes that must move at least once.</param>
public readonly record struct OperationTotals(long Runs, long Flops, long Bytes);
