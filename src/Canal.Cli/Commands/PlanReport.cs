using System.Globalization;
using Canal.Cli.Terminal;
using Canal.Engine.Devices.Cuda.Driver;
using Canal.Engine.Operations;
using Canal.Planning;

namespace Canal.Cli.Commands;

/// <summary>How a plan is said.</summary>
internal static class PlanReport
{
    /// <summary>The plan as JSON takes it; times are null where nothing was timed.</summary>
    public static object Document(JobPlan plan, MachineSpeed? speed) => new
    {
        plan.Job,
        plan.Cells,
        plan.Batch,
        Model = plan.Configuration,
        plan.Parameters,
        PoolPeakBytes = plan.PeakBytes,
        plan.WorkerThreads,
        WorkerScratchBytesEach = plan.WorkerScratchBytes,
        FrozenOutputs = plan.Cache is null ? null : new { plan.Cache.Bytes, plan.Cache.InMemory },
        ProcessPeakBytes = plan.ProcessBytes,
        Host = new { ProgramBytes = plan.Host.Program, ReadingBytes = plan.Host.Reading, CellBytes = plan.Host.Cells, TokenBytes = plan.Host.Tokens, ModelBytes = plan.Host.Models, ReaderBytes = plan.Host.Reader },
        plan.Work.Flops,
        Phases = plan.Phases.Select(p => new { p.Name, p.Times, AtMost = p.IsEpoch, p.Work.Flops, p.Work.Bytes, Seconds = speed?.Seconds(p.Work) }),
        Seconds = speed?.Seconds(plan.Work),
        Speed = speed is null ? null : new { speed.GigaflopsPerSecond, speed.BytesPerSecond },
    };

    /// <summary>The plan for people.</summary>
    public static void Write(TextWriter output, JobPlan plan, MachineSpeed? speed)
    {
        var model = plan.Configuration;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{plan.Job.ToString().ToLowerInvariant()} {plan.Cells:N0} cells of {model.Genes:N0} genes; width {model.Width}, {model.Blocks} blocks, {model.Heads} heads of {model.HeadWidth}, {model.Features} features: {plan.Parameters:N0} parameters"));
        TextTable.Write(output, ["memory", "size", "what it is"], Memory(plan));
        TextTable.Write(output, ["work", "times", "TFLOP each", "seconds each"], plan.Phases.Select(p => (IReadOnlyList<string>)
        [
            p.Name,
            (p.IsEpoch ? "at most " : "") + p.Times.ToString("N0", CultureInfo.InvariantCulture),
            Number(1e-12 * p.Work.Flops),
            speed is null ? "not timed" : Number(speed.Seconds(p.Work)),
        ]));
        if (speed is null) return;
        var most = plan.Phases.Any(p => p.IsEpoch) ? "At most about " : "About ";
        output.WriteLine($"{most}{Duration.Format(speed.Seconds(plan.Work))}{(plan.Phases.Any(p => p.IsEpoch) ? "; early stopping usually ends well before the last epoch" : "")}. Reading the data comes on top.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"How: the job's own code, run on a device that only counts; then each operation's work by what this machine did just now at this model's sizes: products {Rate(speed, MatMul.Name)}, attention {Rate(speed, FavorForward.Name)} forward and {Rate(speed, FavorBackward.Name)} backward, whole blocks {Rate(speed, EncoderBlockForward.Name)} GFLOP/s, the rest {1e-9 * speed.BytesPerSecond:F1} GB/s."));
    }

    private static IEnumerable<IReadOnlyList<string>> Memory(JobPlan plan)
    {
        yield return plan.WorkerThreads > 0
            ? ["process, at its peak", Sizes.Format(plan.ProcessBytes), "while it reads or while it computes, whichever is more; where reading is, --memory-limit wants up to 6 MiB beyond"]
            : ["process, at its peak", Sizes.Format(plan.ProcessBytes), "in the machine's memory, beside the card's"];
        yield return ["pool, at its peak", Sizes.Format(plan.PeakBytes), plan.WorkerThreads > 0 ? "every tensor of the job" : "every tensor of the job, on the card; --memory-limit is compared with this"];
        yield return ["  parameters", Sizes.Format(4.0 * plan.Parameters), "within the peak"];
        if (plan.WorkerThreads > 0) yield return ["  workers' scratch", Sizes.Format((double)plan.WorkerScratchBytes * plan.WorkerThreads), string.Create(CultureInfo.InvariantCulture, $"within the peak: {plan.WorkerThreads} threads, {Sizes.Format(plan.WorkerScratchBytes)} each")];
        if (plan.Cache is { } cache)
        {
            yield return [cache.InMemory ? "  frozen outputs" : "frozen outputs", Sizes.Format(cache.Bytes), cache.InMemory ? "within the peak" : "in a scratch file (--scratch says where)"];
        }
        if (plan.WorkerThreads == 0) yield return ["cuBLAS, the CUDA context", $"{Sizes.Format(DriverRuntime.WorkspaceBytes)} and some hundred MiB", "beside the pool, on the card"];
        yield return ["the program", Sizes.Format(plan.Host.Program + plan.Host.Reading), "measured: code, libraries, runtime, the buffers of the file being read"];
        yield return ["cells", Sizes.Format(plan.Host.Cells + plan.Host.Tokens), "names, results, tokens where a fifth of the panel is expressed; more tokens than 16 MiB lie in a scratch file"];
        yield return ["reading a file", Sizes.Format(plan.Host.Reader), "a process of its own, which has ended when the tensors come"];
        yield return ["model, in training its state", Sizes.Format(plan.Host.Models), "beside the pool"];
    }

    private static string Rate(MachineSpeed speed, string operation) => speed.GigaflopsPerSecond[operation].ToString("F0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString(value >= 100 ? "N0" : "G3", CultureInfo.InvariantCulture);
}
