using Canal.Models;

namespace Canal.Planning;

/// <summary>Kinds of job that can be planned.</summary>
public enum PlannedJob : byte
{
    /// <summary>Labelling cells.</summary>
    Annotate,

    /// <summary>Gene attention by cell type, after labelling.</summary>
    Explain,

    /// <summary>One stage.</summary>
    Learn,

    /// <summary>Masked-expression pre-training.</summary>
    Pretrain,
}

/// <summary>Part of a job, with its work.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Work">Its work, once.</param>
/// <param name="Times">How often it is done; for epochs the most there can be.</param>
/// <param name="IsEpoch">Whether it is an epoch of training: early stopping may end before <paramref name="Times"/> of them.</param>
public sealed record PlannedPhase(string Name, PlannedWork Work, long Times, bool IsEpoch = false);

/// <summary>Where the frozen blocks' outputs will lie.</summary>
/// <param name="Bytes">Their size.</param>
/// <param name="InMemory">In the pool, and counted in its peak; else in a scratch file.</param>
public sealed record PlannedCache(ulong Bytes, bool InMemory);

/// <summary>What a job will take: found by running the job's own code on a device that only counts.</summary>
public sealed record JobPlan
{
    /// <summary>The job.</summary>
    public required PlannedJob Job { get; init; }

    /// <summary>The model's sizes.</summary>
    public required ModelConfiguration Configuration { get; init; }

    /// <summary>Parameters of the model, random projections included.</summary>
    public required long Parameters { get; init; }

    /// <summary>Cells of the job.</summary>
    public required int Cells { get; init; }

    /// <summary>Cells of a micro-batch.</summary>
    public required int Batch { get; init; }

    /// <summary>Most memory that the device's pool will hold, everything below included. The CPU's pool, at the same limit and number of threads, has this high-water mark.</summary>
    public required ulong PeakBytes { get; init; }

    /// <summary>Scratch of each worker thread.</summary>
    public required ulong WorkerScratchBytes { get; init; }

    /// <summary>Worker threads.</summary>
    public required int WorkerThreads { get; init; }

    /// <summary>The cache of the frozen blocks' outputs; null where there is none.</summary>
    public PlannedCache? Cache { get; init; }

    /// <summary>What the process takes beside the pool.</summary>
    public required HostMemory Host { get; init; }

    /// <summary>Most resident memory of the program: while it reads, with the process that reads the file; or while it computes, with the pool (on a card that lies elsewhere).</summary>
    public ulong ProcessBytes => Math.Max(Host.WhileReading, Host.Total + (WorkerThreads == 0 ? 0 : PeakBytes));

    /// <summary>Parts of the job, in order.</summary>
    public required IReadOnlyList<PlannedPhase> Phases { get; init; }

    /// <summary>Work of the whole job, with the most epochs that there can be.</summary>
    public PlannedWork Work => Phases.Aggregate(PlannedWork.None, (sum, phase) => sum.Plus(phase.Work.Times(phase.Times)));
}
