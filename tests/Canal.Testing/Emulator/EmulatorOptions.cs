namespace Canal.Testing.Emulator;

/// <summary>How the emulator runs kernels: all that a card may do differently from one launch to the next, or from the processor.</summary>
public sealed record EmulatorOptions
{
    /// <summary>Order of a block's threads, and of the blocks: 0 forward, 1 reverse, otherwise a seed.</summary>
    public int Order { get; init; }

    /// <summary>OS threads that share the blocks of a launch.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Whether base-2 exponentials are off by up to 2 units in the last place, as PTX allows.</summary>
    public bool PerturbExponentials { get; init; }

    /// <summary>Whether products on tensor cores cut their sums off instead of rounding them, as cards do.</summary>
    public bool TruncateProducts { get; init; }

    /// <summary>
    /// Whether every load and store is checked: inside of memory and of the tensor, aligned, of shared memory that was written, ordered by
    /// barriers against those of other threads, and not where another block of the launch wrote. Slow; CANAL_EMULATOR_CHECKS=1 makes it the rule.
    /// </summary>
    public bool Checks { get; init; } = Environment.GetEnvironmentVariable("CANAL_EMULATOR_CHECKS") == "1";

    /// <summary>Whether the cost of loads and stores is counted; with checks.</summary>
    public bool Counts { get; init; }
}
