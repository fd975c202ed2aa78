namespace Canal.Simulation;

/// <summary>How large the simulated stream is.</summary>
public sealed record SimulationSettings
{
    /// <summary>Studies that are stages, 1 to 5; one more, unseen, is added for testing.</summary>
    public int Studies { get; init; } = 3;

    /// <summary>Cells of each study.</summary>
    public int Cells { get; init; } = 400;

    /// <summary>Genes of each study.</summary>
    public int Genes { get; init; } = 600;

    /// <summary>Seed of every draw.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Throws for a value out of range, with its name and range.</summary>
    /// <exception cref="UserException">Says which value, and what it may be.</exception>
    public SimulationSettings Validated()
    {
        Check(Studies, 1, CellTypeProfiles.Additions.Count, "--studies");
        Check(Cells, 60, 1_000_000, "--cells");
        Check(Genes, 250, StudySimulator.LargestGeneCount, "--genes");
        return this;
    }

    private static void Check(int value, int low, int high, string name)
    {
        if (value < low || value > high) throw new UserException($"{name} {value}: give {low:N0} to {high:N0}.");
    }
}
