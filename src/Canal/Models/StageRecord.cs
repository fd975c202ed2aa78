namespace Canal.Models;

/// <summary>Where a model's knowledge comes from: one entry a pre-training or stage, never changed afterwards.</summary>
public sealed record StageRecord
{
    /// <summary>0 for pre-training, else the stage, from 1.</summary>
    public required int Stage { get; init; }

    /// <summary>The data set's name: the one its folds were drawn with.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the data's contents, lower-case hexadecimal.</summary>
    public required string DataHash { get; init; }

    /// <summary>Cells of the data that were used.</summary>
    public required int Cells { get; init; }

    /// <summary>Cells left out as of low quality or without a label.</summary>
    public int CellsLeftOut { get; init; }

    /// <summary>Seed of the run.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Version of Canal.</summary>
    public required string SoftwareVersion { get; init; }

    /// <summary>Whether the data say that they are simulated.</summary>
    public bool Simulated { get; init; }

    /// <summary>Settings that matter to who repeats the run, as text.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Measurements on validation cells and of the run: epochs, accuracy, loss, seconds. All finite.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new SortedDictionary<string, double>(StringComparer.Ordinal);
}
