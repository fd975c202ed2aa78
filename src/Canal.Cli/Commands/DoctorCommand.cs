using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Engine.Devices.Cpu;
using Canal.Interop.Hdf5;
using Canal.Interop.Nvrtc;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>What this machine offers, what is missing, and the cure.</summary>
[Verb("doctor", HelpText = "What this machine offers, what is missing, and the cure.")]
internal sealed class DoctorCommand : CommonOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples => [Help.Example("Look at this machine", new DoctorCommand())];

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var findings = Findings().ToList();
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(findings.ToDictionary(f => f[0], f => f[1]), JsonOutput.Options));
            return ExitCodes.Done;
        }
        TextTable.Write(context.Out, ["what", "found"], findings);
        return ExitCodes.Done;
    }

    private static IEnumerable<string[]> Findings()
    {
        yield return ["canal", Help.Version()];
        yield return ["system", RuntimeInformation.OSDescription + ", " + RuntimeInformation.ProcessArchitecture];
        yield return ["runtime", RuntimeInformation.FrameworkDescription];
        yield return ["processor", Machine.Processor()];
        yield return ["cores", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)];
        yield return ["memory", Sizes.Format(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)];
        var speeds = CpuBenchmark.VectorWidths.Select(bits => string.Create(CultureInfo.InvariantCulture, $"{bits} bit {CpuBenchmark.TileGigaflopsPerSecond(bits):f0}"));
        yield return ["vectors", string.Create(CultureInfo.InvariantCulture, $"{CpuBenchmark.FastestVectorBits} bit (GFLOP/s a thread: {string.Join(", ", speeds)})")];
        yield return ["libhdf5", Hdf5()];
        yield return ["nvrtc", Nvrtc()];
        yield return ["device", "cpu (this version has no GPU device)"];
    }

    private static string Hdf5()
    {
        try
        {
            var (version, file) = Hdf5Library.Probe();
            return $"{version} ({file})";
        }
        catch (Hdf5MissingException missing)
        {
            return "MISSING: " + missing.Message;
        }
    }

    private static string Nvrtc()
    {
        try
        {
            var nvrtc = NvrtcLibrary.Probe();
            return $"{nvrtc.Version} ({nvrtc.File}), compute capabilities {string.Join(' ', nvrtc.Architectures)}";
        }
        catch (NvrtcMissingException missing)
        {
            return "MISSING: " + missing.Message;
        }
    }
}
