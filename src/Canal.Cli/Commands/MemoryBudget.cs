using Canal.Cli.Terminal;
using Canal.Planning;

namespace Canal.Cli.Commands;

/// <summary>What <c>--memory-limit</c> means on the processor: a bound for the whole process. The pool gets what the rest of the process leaves.</summary>
/// <param name="Limit">Most bytes of the process.</param>
internal sealed record MemoryBudget(ulong Limit)
{
    private const ulong Grain = 1UL << 20, Fineness = 64;

    // Of the program's part, what is no managed memory: mapped libraries, compiled code, the runtime's own tables.
    private const ulong Native = 60UL << 20;

    /// <summary>The pool's limit for a job.</summary>
    /// <param name="plan">Plans the job within a limit of the pool; null for none.</param>
    /// <exception cref="UserException">The job does not fit; the message says what does.</exception>
    public nuint PoolFor(Func<nuint?, JobPlan> plan)
    {
        var free = plan(null);
        var beside = free.Host!.Total;
        if (Limit > beside && Limit >= free.Host.MostWhileReading)
        {
            var pool = (nuint)(Limit - beside);
            if (free.PeakBytes <= pool || Fits(plan, pool) is not null) return pool;
        }
        throw TooSmall(Math.Max(free.Host.MostWhileReading, beside + Smallest(plan, free)));
    }

    /// <summary>Refuses a job without a device that does not fit.</summary>
    /// <exception cref="UserException">It does not; the message says what does.</exception>
    public void Require(HostMemory need)
    {
        if (need.MostWhileReading > Limit) throw TooSmall(need.MostWhileReading);
    }

    /// <summary>Bounds the garbage collector's heap by what the pool and the program's own memory leave: it collects rather than grows.</summary>
    /// <param name="pool">The pool's part.</param>
    public void BoundHeap(ulong pool)
    {
        if (Limit <= pool + Native) return;
        AppContext.SetData("GCHeapHardLimit", Limit - pool - Native);
        try
        {
            GC.RefreshMemoryLimit();
        }
        catch (InvalidOperationException)
        {
            // More is in use already than the bound: what was planned did not hold, and the process goes on without the bound.
        }
    }

    /// <summary>What is said where the limit is too small.</summary>
    /// <param name="needed">Bytes that do.</param>
    public UserException TooSmall(ulong needed) => new(
        $"--memory-limit {Sizes.Format(Limit)} is too small for this job: it takes at least {(needed + Grain - 1) / Grain}M, the program included; give that or more (canal plan shows the parts), a smaller --batch or a smaller model");

    // By halving: under a limit frozen outputs move to a scratch file, and the pool gives free blocks back before it takes new ones.
    private static ulong Smallest(Func<nuint?, JobPlan> plan, JobPlan free)
    {
        var (fails, works) = (0UL, free.PeakBytes);
        while (works - fails > Math.Max(Grain, works / Fineness))
        {
            var middle = fails + ((works - fails) / 2);
            if (Fits(plan, (nuint)middle) is null) fails = middle;
            else works = middle;
        }
        return works;
    }

    private static JobPlan? Fits(Func<nuint?, JobPlan> plan, nuint pool)
    {
        try
        {
            return plan(pool);
        }
        catch (InsufficientMemoryException)
        {
            return null;
        }
    }
}
