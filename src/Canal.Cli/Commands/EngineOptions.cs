using Canal.Cli.Terminal;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
using Canal.Planning;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options of the commands that compute: device, threads, memory, seed.</summary>
internal abstract class EngineOptions : CommonOptions
{
    [Option("device", Default = "auto", HelpText = "Where to compute: auto (a CUDA card, else the CPU), cpu, cuda or cuda:N.")]
    public string DeviceName { get; set; } = "auto";

    [Option("precision", Default = "auto", HelpText = "Arithmetic: auto, fp32, and on CUDA tf32, bf16 (8.0 and up) or f16 (forward; trains in fp32). auto: fp32 on the CPU, the best of the card.")]
    public string Precision { get; set; } = "auto";

    [Option("threads", Default = 0, HelpText = "Threads to use; 0 means all cores. The result does not depend on it.")]
    public int Threads { get; set; }

    [Option("memory-limit", HelpText = "Most memory that the whole process may take, the program itself included, for example 500M or 4G (with CUDA: that tensors may take on the card).")]
    public string? MemoryLimit { get; set; }

    [Option("seed", HelpText = "Seed of everything random; the same seed gives the same bits (default: 1, or the stream file's).")]
    public uint? GivenSeed { get; set; }

    /// <summary>The seed to use where nothing else names one.</summary>
    public uint Seed => GivenSeed ?? 1;

    /// <summary>The limit in bytes, or null where none was given.</summary>
    public long? MemoryLimitBytes => MemoryLimit is null ? null : Sizes.Parse(MemoryLimit, "--memory-limit");

    private Device? opened;

    /// <summary>Why the CPU computes where a card would have been taken; null otherwise. Known once the device is open.</summary>
    public string? DeviceNote { get; protected set; }

    /// <summary>What --device and --precision say, and the CPU's settings.</summary>
    /// <exception cref="UserException">There is no such device, precision or thread count.</exception>
    public (DeviceChoice Choice, CpuOptions Cpu) ChosenDevice()
    {
        if (Threads is < 0 or > 1024) throw new UserException($"--threads {Threads}: give 0 (all cores) to 1024");
        return (DeviceChoice.Parse(DeviceName, Precision), new CpuOptions
        {
            Threads = Threads == 0 ? Environment.ProcessorCount : Threads,
            MemoryLimit = MemoryLimitBytes is { } limit ? (nuint)limit : null,
        });
    }

    /// <summary>Sees to it that a job keeps --memory-limit, or refuses it: plans it, and bounds the pool and the garbage collector's heap.</summary>
    /// <param name="context">Whose process it is.</param>
    /// <param name="device">The device that the job will run on.</param>
    /// <param name="plan">Plans the job.</param>
    /// <exception cref="UserException">The limit is too small; the message says which is not.</exception>
    public void KeepWithinLimit(CommandContext context, Device device, Func<JobPlanner, JobPlan> plan)
    {
        if (MemoryLimitBytes is not { } limit || device is not CpuDevice) return;
        Budget = new MemoryBudget((ulong)limit);
        device.Memory.Limit = Budget.PoolFor(pool => plan(new JobPlanner(pool, PlanTarget.Of(device))));
        if (context.OwnsProcess) Budget.BoundHeap(device.Memory.Limit);
    }

    /// <summary>Opens the device that the options name.</summary>
    /// <exception cref="UserException">There is no such device, precision or thread count.</exception>
    /// <exception cref="MachineException">The card that was asked for cannot be used.</exception>
    public Device OpenDevice()
    {
        var (choice, cpu) = ChosenDevice();
        var device = choice.Open(cpu, out var note);
        // Nothing is rented before KeepWithin has said how much of the limit is the pool's.
        if (device is CpuDevice && MemoryLimitBytes is { } all) device.Memory.Limit = (nuint)all;
        (DeviceNote, opened) = (note, device);
        return device;
    }

    /// <inheritdoc/>
    public override ulong? PoolPeakBytes => opened?.Memory.HighWater;
}
