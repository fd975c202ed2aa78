using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Simulation;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>A stream of simulated studies for trying things out.</summary>
[Verb("simulate", HelpText = "Make a stream of simulated pancreas studies for trying things out; the files say that they are simulated.")]
internal sealed class SimulateCommand : CommonOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples => [Help.Example("Three studies and a stream file, then run it with canal stream demo/stream.json", new SimulateCommand { Output = "demo" })];

    [Option('o', "output", Required = true, HelpText = "Folder for the studies and the stream file.")]
    public string Output { get; set; } = "";

    [Option("studies", Default = 3, HelpText = "Studies that are stages; one more, unseen, is added for testing.")]
    public int Studies { get; set; } = 3;

    [Option("cells", Default = 400, HelpText = "Cells a study.")]
    public int Cells { get; set; } = 400;

    [Option("genes", Default = 600, HelpText = "Genes a study.")]
    public int Genes { get; set; } = 600;

    [Option("seed", Default = 1u, HelpText = "Seed of every draw.")]
    public uint Seed { get; set; } = 1;

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var settings = new SimulationSettings { Studies = Studies, Cells = Cells, Genes = Genes, Seed = Seed }.Validated();
        var written = SimulatedStudies.Write(UserPath.Checked(Output, "the output folder"), settings, path =>
        {
            context.Stop.ThrowIfCancellationRequested();
            if (!Json) context.Error.WriteLine("simulated: " + SafeText.OneLine(path));
        });
        if (Json) context.Out.WriteLine(JsonSerializer.Serialize(new { Simulated = true, Files = written }, JsonOutput.Options));
        else context.Out.WriteLine($"No cell in these files is real. Next: canal stream {SafeText.OneLine(written[^1])}");
        return ExitCodes.Done;
    }
}
