using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Canal.Benchmarks;

namespace Canal.Cli.Commands;

/// <summary>How large the measurement is.</summary>
internal sealed record MemoryBenchSettings
{
    /// <summary>The study that every command reads.</summary>
    public DrawnStudySettings Study { get; init; } = new(30_000, 20_000, 40_000);

    /// <summary>The limit that every command has to keep on it.</summary>
    public string Limit { get; init; } = "192M";

    /// <summary>A network that keeps the computing short: what is measured on the large study is memory.</summary>
    public string[] Network { get; init; } = ["--width", "16", "--blocks", "2", "--heads", "2", "--head-width", "8", "--features", "16"];

    /// <summary>Genes of the panel.</summary>
    public int Panel { get; init; } = 200;

    /// <summary>Whether single jobs are measured at further geometries, without a limit.</summary>
    public bool Geometries { get; init; } = true;

    /// <summary>Folder for the study and the outputs; removed afterwards.</summary>
    public required string Folder { get; init; }
}

/// <summary>One command's memory.</summary>
/// <param name="Command">The command, with what matters of its options.</param>
/// <param name="Cells">Cells that it read.</param>
/// <param name="DataBytes">Their matrix as AnnData holds it: 8 bytes an entry.</param>
/// <param name="Limit">--memory-limit in bytes; null where none was given.</param>
/// <param name="Process">Peak of the process.</param>
/// <param name="Pool">Peak of the pool; null where the command has none.</param>
/// <param name="PlannedProcess">What canal plan says of the process; null where it does not plan the command.</param>
/// <param name="PlannedPool">What canal plan says of the pool.</param>
internal sealed record MemoryRow(string Command, int Cells, long DataBytes, long? Limit, long Process, long? Pool, long? PlannedProcess, long? PlannedPool);

/// <summary>Runs the commands as processes of their own and holds their peaks against the limit and against the plan.</summary>
internal sealed class MemoryBench(MemoryBenchSettings settings, Action<string>? say, CancellationToken stop)
{
    private readonly List<MemoryRow> rows = [];

    /// <summary>Runs everything.</summary>
    /// <exception cref="MachineException">A command failed; the message is its own.</exception>
    public IReadOnlyList<MemoryRow> Run()
    {
        Directory.CreateDirectory(settings.Folder);
        var study = At("study.h5ad");
        say?.Invoke($"making {settings.Study.Cells} cells of {settings.Study.Genes} genes");
        var entries = DrawnStudy.Write(study, settings.Study, stop);
        OnTheLargeStudy(study, 8 * entries);
        if (settings.Geometries) AtGeometries();
        return rows;
    }

    private void OnTheLargeStudy(string study, long bytes)
    {
        var cells = settings.Study.Cells;
        string[] limit = ["--memory-limit", settings.Limit, "--scratch", settings.Folder];
        string[] network = [.. settings.Network, "--panel", Text(settings.Panel)];
        var (model, labelled, most) = (At("model.safetensors"), At("labelled.h5ad"), Terminal.Sizes.Parse(settings.Limit, "the limit"));
        Measure("inspect", cells, bytes, most, ["inspect", study, .. limit], null);
        Measure("pretrain", cells, bytes, most, ["pretrain", study, "-o", At("base.safetensors"), "--epochs", "1", .. network, .. limit],
            ["pretrain", "--cells", Text(cells), "--epochs", "1", .. network, "--memory-limit", settings.Limit]);
        Measure("learn", cells, bytes, most, ["learn", study, "-m", At("base.safetensors"), "-o", model, "--epochs", "1", .. limit],
            ["learn", "-m", At("base.safetensors"), "--cells", Text(cells), "--new-types", Text(settings.Study.Types), "--epochs", "1", "--memory-limit", settings.Limit]);
        Measure("annotate", cells, bytes, most, ["annotate", study, "-m", model, "-o", labelled, .. limit], ["annotate", "-m", model, "--cells", Text(cells), "--memory-limit", settings.Limit]);
        Measure("evaluate", cells, bytes, most, ["evaluate", labelled, "--truth", "cell_type", "--memory-limit", settings.Limit], null);
        File.Delete(labelled);
        Measure("explain", cells, bytes, most, ["explain", study, "-m", model, "-o", At("genes.csv"), .. limit], ["explain", "-m", model, "--cells", Text(cells), "--memory-limit", settings.Limit]);
        Measure("baseline", cells, bytes, most,
            ["baseline", study, "--where", "split == train", "--test", study, "--test-where", "split == test", "-m", model, "-c", "0.1", .. limit], null);
        Measure("stream", cells, bytes, most, ["stream", StreamFile(study), "--restart", .. limit], null);
    }

    private void AtGeometries()
    {
        foreach (var (name, network, cells) in new (string, string[], int)[] { ("small", ["--size", "small"], 2000), ("scBERT's size", ["--size", "scbert"], 56) })
        {
            var study = At($"{cells}.h5ad");
            var bytes = 8 * DrawnStudy.Write(study, new DrawnStudySettings(cells, 5000, 2700), stop);
            string[] fresh = [.. network, "--panel", "1000"];
            Measure($"pretrain, {name}", cells, bytes, null, ["pretrain", study, "-o", At("base.safetensors"), "--epochs", "1", .. fresh], ["pretrain", "--cells", Text(cells), "--epochs", "1", .. fresh]);
            Measure($"learn, {name}", cells, bytes, null, ["learn", study, "-m", At("base.safetensors"), "-o", At("model.safetensors"), "--epochs", "1"],
                ["learn", "-m", At("base.safetensors"), "--cells", Text(cells), "--new-types", Text(new DrawnStudySettings(1, 1, 1).Types), "--epochs", "1"]);
            Measure($"annotate, {name}", cells, bytes, null, ["annotate", study, "-m", At("model.safetensors"), "-o", At("labels.csv")], ["annotate", "-m", At("model.safetensors"), "--cells", Text(cells)]);
        }
    }

    private void Measure(string name, int cells, long bytes, long? limit, string[] command, string[]? plan)
    {
        stop.ThrowIfCancellationRequested();
        say?.Invoke(name);
        var report = At("report.json");
        Start([.. command, "--memory-report", report]);
        using var measured = JsonDocument.Parse(File.ReadAllText(report));
        using var planned = plan is null ? null : JsonDocument.Parse(Start(["plan", .. plan, "--json", "--counts-only"]));
        var pool = measured.RootElement.GetProperty("pool_peak_bytes");
        rows.Add(new MemoryRow(
            name, cells, bytes, limit, measured.RootElement.GetProperty("process_peak_bytes").GetInt64(), pool.ValueKind == JsonValueKind.Null ? null : pool.GetInt64(),
            planned?.RootElement.GetProperty("process_peak_bytes").GetInt64(), planned?.RootElement.GetProperty("pool_peak_bytes").GetInt64()));
        say?.Invoke($"{name}: {rows[^1].Process >> 20} MiB{(limit is null ? "" : $" of at most {limit >> 20} MiB")}{(rows[^1].PlannedProcess is { } expected ? $", planned {expected >> 20} MiB" : "")}");
    }

    // This program again: its own executable, or its assembly under the runtime that runs it.
    private string Start(string[] arguments)
    {
        var host = Environment.ProcessPath!;
        var assembly = Path.Combine(AppContext.BaseDirectory, "Canal.Cli.dll");
        var shared = Path.GetFileNameWithoutExtension(host) == "dotnet";
        var start = new ProcessStartInfo(shared ? host : Path.Combine(AppContext.BaseDirectory, "Canal.Cli"), shared ? [assembly, .. arguments] : arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start) ?? throw new MachineException("The program could not be started again.");
        using var kill = stop.Register(() => process.Kill());
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        stop.ThrowIfCancellationRequested();
        return process.ExitCode == ExitCodes.Done ? output
            : throw new MachineException($"canal {string.Join(' ', arguments)} ended with {process.ExitCode}: {error.GetAwaiter().GetResult().Trim().Split('\n')[^1]}");
    }

    private string StreamFile(string study)
    {
        var path = At("stream.json");
        string[] network = settings.Network;
        int Size(string option) => int.Parse(network[Array.IndexOf(network, option) + 1], CultureInfo.InvariantCulture);
        File.WriteAllText(path, JsonSerializer.Serialize(new
        {
            model = new { width = Size("--width"), blocks = Size("--blocks"), heads = Size("--heads"), head_width = Size("--head-width"), features = Size("--features") },
            genes = new { panel = settings.Panel },
            learning = new { max_epochs = 1 },
            stages = new[] { new { name = "one", data = study, where = "split == train" } },
            output = "results",
        }));
        return path;
    }

    private string At(string name) => Path.Combine(settings.Folder, name);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
