using Canal.Cli.Terminal;
using Canal.Engine.Devices.Cpu;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options of the commands that compute: device, threads, memory, seed.</summary>
internal abstract class EngineOptions : CommonOptions
{
    [Option("device", Default = "auto", HelpText = "Where to compute: auto or cpu.")]
    public string DeviceName { get; set; } = "auto";

    [Option("precision", Default = "fp32", HelpText = "Arithmetic: fp32 (the CPU computes in float32).")]
    public string Precision { get; set; } = "fp32";

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

    /// <summary>Opens the device that the options name.</summary>
    /// <exception cref="UserException">There is no such device, precision or thread count.</exception>
    public CpuDevice OpenDevice()
    {
        if (DeviceName is not ("auto" or "cpu"))
        {
            throw new UserException($"--device {DeviceName}: this version computes on the CPU only; use --device cpu or auto");
        }
        if (Precision != "fp32") throw new UserException($"--precision {Precision}: the CPU computes in fp32 only");
        if (Threads is < 0 or > 1024) throw new UserException($"--threads {Threads}: give 0 (all cores) to 1024");
        return new CpuDevice(new CpuOptions
        {
            Threads = Threads == 0 ? Environment.ProcessorCount : Threads,
            MemoryLimit = MemoryLimitBytes is { } limit ? (nuint)limit : null,
        });
    }
}
