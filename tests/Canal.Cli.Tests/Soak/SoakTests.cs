using System.Globalization;

namespace Canal.Cli.Tests.Soak;

/// <summary>kill -9 at random moments; a few here, as many as one likes with <c>make soak</c>.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class SoakTests(SimulatedStream stream)
{
    private const int FewKills = 8, FewEpochs = 6, ManyEpochs = 45;

    [Fact]
    public void WhatIsKilledAtRandomMomentsIsWholeAndGoesOnToTheSameBits()
    {
        var kills = Number("CANAL_SOAK_KILLS") ?? FewKills;
        var seed = Number("CANAL_SOAK_SEED") ?? 1;
        var many = kills > FewKills;
        Action<string> say = many ? Console.Out.WriteLine : _ => { };
        // Not removed when something is wrong.
        var folder = Directory.CreateTempSubdirectory("canal-soak-").FullName;
        var inputs = new SoakInputs(Directory.CreateDirectory(Path.Combine(folder, "inputs")).FullName, many ? ManyEpochs : FewEpochs);
        var run = new SoakRun(folder, inputs, stream.KillSwitch, seed, many, say);
        say(string.Create(CultureInfo.InvariantCulture, $"{kills} kills, seed {seed}{(run.HasSwitch ? "" : "; without g++ no kill can be aimed at a write or a rename")}"));
        var tallies = run.Kill(many ? inputs.Jobs : [.. inputs.Jobs.Take(4)], kills, mostInARow: many ? 5 : 2);
        say("\n" + SoakTally.Table(tallies));

        Assert.Equal(kills, tallies.Sum(t => t.Kills));
        Assert.All(tallies, t => Assert.True(t.Kills > 0 && t.Equal > 0, t.Name));
        Directory.Delete(folder, recursive: true);
    }

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : null;
}
