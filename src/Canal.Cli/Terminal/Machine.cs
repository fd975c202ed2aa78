using System.Runtime.InteropServices;

namespace Canal.Cli.Terminal;

/// <summary>The machine in words.</summary>
internal static class Machine
{
    /// <summary>The processor's name, or its architecture where the system does not tell.</summary>
    public static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        if (!File.Exists(Info)) return RuntimeInformation.ProcessArchitecture.ToString();
        var line = File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : SafeText.OneLine(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..]);
    }
}
