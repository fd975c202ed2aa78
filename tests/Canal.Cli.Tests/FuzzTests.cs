using System.Buffers.Binary;
using System.Text;
using Canal.Fuzz;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>Files that were cut, flipped or given hostile numbers, always the same ones: never a defect, always one line.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class FuzzTests(SimulatedStream stream) : IDisposable
{
    private const int Mutations = 300;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void StreamFiles()
    {
        // The second stage's cells are nowhere, so that a harmless change ends there and not in training.
        var text = $$"""
            {
              "name": "s", "seeds": [1, 2], "min_genes": 3, "output": "out", "label": "cell_type",
              "base": {"pretrain": {"data": [{"data": {{Json(stream.Study1)}}, "where": "split == train"}], "max_epochs": 2, "batch": 7, "accumulation": 2, "rate": 0.001, "validation": 0.1} },
              "genes": {"panel": 100}, "model": {"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16},
              "learning": {"max_epochs": 1, "patience": 1, "batch": 14, "rate": 1e-3, "lambda": 0.1, "bank": 100, "bank_policy": "random", "trainable": "all"}, "ablate": ["joint"],
              "stages": [{"name": "1", "data": {{Json(stream.Study1)}}, "where": "split == train"}, {"name": "2", "data": "nowhere.h5ad"}],
              "tests": [{"name": "t", "stage": 1, "data": {{Json(stream.Study1)}}, "merge": {"a": "b"} }]
            }
            """;
        var random = new Random(1);
        for (var i = 0; i < Mutations; i++)
        {
            File.WriteAllBytes(folder["s.json"], i == 0 ? Encoding.UTF8.GetBytes(text) : ByteMutation.OfText(Encoding.UTF8.GetBytes(text), random));
            var run = CommandLineRun.Of("stream", folder["s.json"], "-o", folder["results"]);
            Assert.True(run.Code == ExitCodes.User, $"mutation {i}: {run.Code} {run.Error}\n{File.ReadAllText(folder["s.json"])}");
            run.AssertRefused();
            Assert.False(Directory.Exists(folder["results"]));
        }
    }

    [Fact]
    public void ModelFiles()
    {
        var model = File.ReadAllBytes(stream.Stage2);
        var header = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(model);
        Assert.Equal(model, SafetensorsMutation.Stamped(model.AsSpan(8, header - 8), model.AsSpan(header)));
        var (random, refused) = (new Random(2), 0);
        for (var i = 0; i < Mutations; i++)
        {
            // Mostly the header, stamped with the right length and checksum again, so that what lies behind these checks is reached.
            var bytes = (i % 6) switch
            {
                0 => ByteMutation.OfText(model, random),
                1 => SafetensorsMutation.Stamped(model.AsSpan(8, header - 8), ByteMutation.OfText(model[header..], random)),
                _ => SafetensorsMutation.Stamped(ByteMutation.OfText(model[8..header], random), model.AsSpan(header)),
            };
            File.WriteAllBytes(folder["m.safetensors"], bytes);
            var run = CommandLineRun.Of("annotate", stream.Unseen, "-m", folder["m.safetensors"], "-o", folder["labels.csv"]);
            if (run.Code == ExitCodes.Done) continue;
            Assert.True(run.Code == ExitCodes.User, $"mutation {i}: {run.Code} {run.Error}");
            run.AssertRefused();
            refused++;
        }
        Assert.InRange(refused, Mutations / 2, Mutations);
    }

    [SkippableFact]
    public void AFewInputsOfEveryKind()
    {
        using var said = new StringWriter();
        var run = new FuzzRun(Settings(inputs: 60), said);
        Assert.True(run.Run(), said.ToString());
        Assert.Equal(60, run.Outcomes.Values.Sum());
        Assert.Equal(Enum.GetValues<FuzzKind>(), run.Outcomes.Keys.Select(outcome => outcome.Kind).Distinct().Order());
        Assert.True(run.Outcomes.Where(outcome => outcome.Key.Outcome == "refused").Sum(outcome => outcome.Value) >= 50, said.ToString());
        Assert.Contains(run.Outcomes, outcome => outcome.Key.Outcome == "done");
    }

    [SkippableFact]
    public void WhatBecomesOfAWorkerIsNoticed()
    {
        using var worker = new WorkerProcess(Settings(inputs: 1) with { MostSeconds = 1 });
        Assert.Null(worker.Ask([Worker.Crash], out _, out var failure));
        Assert.Contains("died: exit code 134 (signal 6)", failure, StringComparison.Ordinal);
        Assert.Null(worker.Ask([Worker.Loop], out var seconds, out failure));
        Assert.Contains("took too long", failure, StringComparison.Ordinal);
        Assert.True(seconds > 1);
        Assert.Null(worker.Ask([Worker.Hunger], out _, out failure));
        Assert.NotNull(failure);
        Assert.Equal(ExitCodes.Done, worker.Ask(["--version"], out _, out failure)!.Code);
        Assert.Null(failure);
        Assert.Equal(4, worker.Starts);
    }

    [Theory]
    [InlineData(ExitCodes.Done, "", "", null)]
    [InlineData(ExitCodes.User, "", "reading\ncanal: a.h5ad: it is damaged.\n", null)]
    [InlineData(ExitCodes.Defect, "", "canal: NullReferenceException\n", "exit code 1")]
    [InlineData(ExitCodes.Machine, "", "canal: out of memory\n", "exit code 3")]
    [InlineData(ExitCodes.User, "", "canal: one\ncanal: two\n", "not one line")]
    [InlineData(ExitCodes.User, "", "canal: one\n   at Program.Main\n", "not one line")]
    [InlineData(ExitCodes.User, "", "", "not one line")]
    [InlineData(ExitCodes.Done, "\u001b[31m", "", "U+001B")]
    [InlineData(ExitCodes.User, "", "canal: \u0007\n", "U+0007")]
    public void WhatMayNotBeIsNamed(int code, string output, string error, string? wrong)
    {
        var input = new FuzzCase(0, FuzzKind.H5adBytes, folder.Root, "", [], null, false);
        var verdict = Verdict.Of(input, code, output, error, []);
        if (wrong is null) Assert.Null(verdict);
        else Assert.Contains(wrong, verdict, StringComparison.Ordinal);
        File.WriteAllText(folder["left.tmp"], "");
        if (code == ExitCodes.User && wrong is null) Assert.Contains("left.tmp", Verdict.Of(input, code, output, error, []), StringComparison.Ordinal);
        Assert.Contains("no output", Verdict.Of(input with { Output = folder["out"] }, ExitCodes.Done, "", "", []), StringComparison.Ordinal);
        Assert.Contains("sound", Verdict.Of(input with { IsSound = true }, ExitCodes.User, "", "canal: no\n", []), StringComparison.Ordinal);
    }

    private FuzzSettings Settings(int inputs)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Workers bound their memory on Linux alone.");
        var (program, before) = ProgramProcess.Command;
        Skip.If(before.Length == 0, "The fuzzing worker is not in a bundle.");
        string[] worker = [.. before.SkipLast(1), Path.Combine(AppContext.BaseDirectory, "Canal.Fuzz.dll"), Worker.Verb];
        return new FuzzSettings { Inputs = inputs, Seed = 1, Keep = folder["fuzz"], Worker = (program, worker), Program = (program, before) };
    }

    private static string Json(string value) => System.Text.Json.JsonSerializer.Serialize(value);
}
