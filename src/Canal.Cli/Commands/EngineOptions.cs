using Canal.Cli.Terminal;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
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

    [Option("memory-limit", HelpText = "Most memory that tensors may take, for example 500M or 4G.")]
    public string? MemoryLimit { get; set; }

    [Option("seed", HelpText = "Seed of everything random; the same seed gives the same bits (default: 1, or the stream file's).")]
    public uint? GivenSeed { get; set; }

    /// <summary>The seed to use where nothing else names one.</summary>
    public uint Seed => GivenSeed ?? 1;

    /// <summary>The limit in bytes, or null where none was given.</summary>
    public long? MemoryLimitBytes => MemoryLimit is null ? null : Sizes.Parse(MemoryLimit, "--memory-limit");

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

    /// <summary>Opens the device that the options name.</summary>
    /// <exception cref="UserException">There is no such device, precision or thread count.</exception>
    /// <exception cref="MachineException">The card that was asked for cannot be used.</exception>
    public Device OpenDevice()
    {
        var (choice, cpu) = ChosenDevice();
        var device = choice.Open(cpu, out var note);
        DeviceNote = note;
        return device;
    }
}
