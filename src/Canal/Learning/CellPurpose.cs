namespace Canal.Learning;

/// <summary>What the cells of a stream are read for: it decides what becomes of those of low quality (method.md section 1.2).</summary>
public enum CellPurpose : byte
{
    /// <summary>To learn from: cells of low quality are left out.</summary>
    Training,

    /// <summary>To be scored on: every cell counts.</summary>
    Testing,
}
