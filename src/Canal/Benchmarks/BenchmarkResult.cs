namespace Canal.Benchmarks;

/// <summary>What a benchmark run measures.</summary>
public enum BenchmarkJob : byte
{
    /// <summary>Everything.</summary>
    All,

    /// <summary>Single operations.</summary>
    Kernels,

    /// <summary>Labelling cells.</summary>
    Annotate,

    /// <summary>Training steps.</summary>
    Train,

    /// <summary>Reading compressed cells through tokenisation.</summary>
    Reading,

    /// <summary>Peak memory of every command on data ten times its limit, and of plans; not part of <see cref="All"/>.</summary>
    Memory,
}

/// <summary>Sizes and patience of a benchmark run.</summary>
public sealed record BenchmarkSettings
{
    /// <summary>What is measured.</summary>
    public BenchmarkJob Job { get; init; }

    /// <summary>Fewer repetitions: for a first look, not for a comparison.</summary>
    public bool Quick { get; init; }

    /// <summary>The model whose sizes are measured; the number of genes is replaced by <see cref="PanelSizes"/>.</summary>
    public Models.ModelConfiguration Model { get; init; } = Models.ModelConfiguration.ScBert(1000);

    /// <summary>Genes of the panels that cells are annotated with: CANAL's highly variable genes, and scBERT's whole vocabulary.</summary>
    public IReadOnlyList<int> PanelSizes { get; init; } = [1000, 16_906];

    /// <summary>Cells of a training step.</summary>
    public int Batch { get; init; } = 14;

    /// <summary>Seed of weights and cells.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>A kernel's check and time.</summary>
/// <param name="Name">The operation.</param>
/// <param name="Size">Its size, for people.</param>
/// <param name="Check">The check that it passed, or failed, before it was timed.</param>
/// <param name="Flops">Floating-point operations of a run.</param>
/// <param name="Bytes">Bytes that a run must move at least once.</param>
/// <param name="Timing">Null where the check failed.</param>
public sealed record KernelResult(string Name, string Size, CheckResult Check, long Flops, long Bytes, Timing? Timing)
{
    /// <summary>10^9 floating-point operations a second in the median run; NaN where not timed.</summary>
    public double GigaflopsPerSecond => Timing is null ? double.NaN : 1e-9 * Flops / Timing.Median;

    /// <summary>10^9 bytes a second in the median run; NaN where not timed.</summary>
    public double GigabytesPerSecond => Timing is null ? double.NaN : 1e-9 * Bytes / Timing.Median;
}

/// <summary>A quick check of an operation, made in the same run as its timing.</summary>
/// <param name="Against">What it was compared with.</param>
/// <param name="Error">Largest error, as a share of what is allowed: at most 1 passes, NaN does not.</param>
public sealed record CheckResult(string Against, double Error)
{
    /// <summary>Whether it passed.</summary>
    public bool Passed => Error <= 1;
}

/// <summary>A whole job's time and memory.</summary>
/// <param name="Name">The job.</param>
/// <param name="Unit">What one run is: a micro-batch, a step.</param>
/// <param name="Tokens">Tokens of a cell.</param>
/// <param name="Cells">Cells of a run.</param>
/// <param name="Flops">Floating-point operations of a run.</param>
/// <param name="Timing">Seconds of a run.</param>
/// <param name="Memory">What it took.</param>
public sealed record JobResult(string Name, string Unit, int Tokens, int Cells, long Flops, Timing Timing, JobMemory Memory)
{
    /// <summary>Seconds a cell, median.</summary>
    public double SecondsPerCell => Timing.Median / Cells;

    /// <summary>10^9 floating-point operations a second in the median run.</summary>
    public double GigaflopsPerSecond => 1e-9 * Flops / Timing.Median;
}

/// <summary>Memory of a job.</summary>
/// <param name="PoolBytes">High-water mark of the device's pool.</param>
/// <param name="WorkerScratchBytes">Scratch of all worker threads, within the pool.</param>
/// <param name="ProcessBytes">Most resident memory of the process while the job ran, the program itself included; null where the system does not tell.</param>
public sealed record JobMemory(ulong PoolBytes, ulong WorkerScratchBytes, ulong? ProcessBytes);

/// <summary>Everything that one benchmark run found.</summary>
/// <param name="Device">The device, for people.</param>
/// <param name="Threads">Threads of the CPU; null on a card.</param>
/// <param name="VectorBits">Vector width of the CPU; null on a card.</param>
/// <param name="PeakGigaflopsPerSecond">Fastest product of this run, at its best: shares of peak are stated against it.</param>
/// <param name="CopyGigabytesPerSecond">Bytes read and written by a copy (on the CPU by one thread), by far larger than the caches.</param>
/// <param name="Kernels">Single operations.</param>
/// <param name="Jobs">Whole jobs.</param>
/// <param name="Failures">Checks that failed; where there are any, the run has failed.</param>
public sealed record BenchmarkResult(
    string Device, int? Threads, int? VectorBits, double PeakGigaflopsPerSecond, double CopyGigabytesPerSecond, IReadOnlyList<KernelResult> Kernels, IReadOnlyList<JobResult> Jobs,
    IReadOnlyList<string> Failures)
{
    /// <summary>The larger of the times that the run's own peak and copy rate allow, as a share of a kernel's median: what it reaches of its binding limit. NaN where not timed.</summary>
    public double ShareOfLimit(KernelResult kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel.Timing is null ? double.NaN : 1e-9 * Math.Max(kernel.Flops / PeakGigaflopsPerSecond, kernel.Bytes / CopyGigabytesPerSecond) / kernel.Timing.Median;
    }

    /// <summary>What these numbers do not say.</summary>
    public static IReadOnlyList<string> NotMeasured { get; } =
    [
        "writing files and choosing genes, and reading beside the jobs (its own row says how fast it is): annotate and learn have those on top",
        "the first epoch's caches of frozen outputs and of the teacher, computed once a stage (their speed is annotate's)",
        "other loads on the machine: a clock that falls when all cores are busy, or neighbours, are in the numbers",
        "energy, other processors, GPUs",
    ];
}
