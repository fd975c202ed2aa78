using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Engine.Devices.Cpu;
using Canal.Interop.Cuda;
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
            context.Out.WriteLine(JsonSerializer.Serialize(findings.ToDictionary(finding => finding.Part, finding => finding.Line), JsonOutput.Options));
            return ExitCodes.Done;
        }
        TextTable.Write(context.Out, ["what", "found"], findings.Select(finding => new[] { finding.Part, finding.Cell }));
        // Below the table and not in it: these lines are long.
        foreach (var finding in findings.Where(finding => finding.Trouble.Length > 0)) context.Out.WriteLine(SafeText.OneLine($"{finding.Part}: {finding.Trouble}"));
        return ExitCodes.Done;
    }

    private static IEnumerable<Finding> Findings()
    {
        yield return new("canal", Help.Version());
        yield return new("system", RuntimeInformation.OSDescription + ", " + RuntimeInformation.ProcessArchitecture);
        yield return new("runtime", RuntimeInformation.FrameworkDescription);
        yield return new("processor", Machine.Processor());
        yield return new("cores", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
        yield return new("memory", Sizes.Format(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes));
        var speeds = CpuBenchmark.VectorWidths.Select(bits => string.Create(CultureInfo.InvariantCulture, $"{bits} bit {CpuBenchmark.TileGigaflopsPerSecond(bits):f0}"));
        yield return new("vectors", string.Create(CultureInfo.InvariantCulture, $"{CpuBenchmark.FastestVectorBits} bit (GFLOP/s a thread: {string.Join(", ", speeds)})"));
        yield return Hdf5();
        var cuda = CudaProbe.Run();
        foreach (var row in CudaFindingRows.Of(cuda)) yield return row;
        var nvrtc = Nvrtc(cuda.Driver.Version?.Major ?? int.MaxValue);
        yield return nvrtc;
        yield return CudaFindingRows.Device(cuda, hasCompiler: nvrtc.Trouble.Length == 0);
    }

    private static Finding Hdf5()
    {
        try
        {
            var (version, file) = Hdf5Library.Probe();
            return new("libhdf5", $"{version} ({file})");
        }
        catch (Hdf5MissingException missing)
        {
            return Finding.Missing("libhdf5", missing.Message);
        }
    }

    private static Finding Nvrtc(int newestMajor)
    {
        try
        {
            var nvrtc = NvrtcLibrary.Probe(newestMajor);
            return new("nvrtc", $"{nvrtc.Version} ({nvrtc.File}), compute capabilities {string.Join(' ', nvrtc.Architectures)}");
        }
        catch (NvrtcMissingException missing)
        {
            return Finding.Missing("nvrtc", missing.Message);
        }
    }
}
