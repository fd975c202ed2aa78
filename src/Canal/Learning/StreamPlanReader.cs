using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;

namespace Canal.Learning;

/// <summary>Reads a stream file (design.md, Formats): JSON, paths relative to the file, unknown keys are errors, every key has a default but <c>stages</c>.</summary>
public static class StreamPlanReader
{
    private const long LargestFile = 16 << 20;

    private static readonly (string, Ablation)[] Ablations =
    [
        ("no-replay", Ablation.NoReplay), ("no-distillation", Ablation.NoDistillation), ("no-balance", Ablation.NoBalance),
        ("fine-tune", Ablation.FineTune), ("joint", Ablation.Joint),
    ];

    private static readonly (string, BankPolicy)[] Policies = [.. BankPolicies.Names.Select(name => (name, BankPolicies.Parse(name)))];

    private static readonly (string, ScheduleKind)[] Schedules =
        [("auto", ScheduleKind.Auto), ("epochs", ScheduleKind.Epochs), ("steps", ScheduleKind.Steps)];

    /// <summary>The name that a stream file and the output give a variant; <c>full</c> for the whole method.</summary>
    public static string NameOf(Ablation ablation) => ablation == Ablation.None ? "full" : Ablations.First(a => a.Item2 == ablation).Item1;

    /// <summary>The name that a stream file gives a bank policy.</summary>
    public static string NameOf(BankPolicy policy) => BankPolicies.Names[(int)policy];

    /// <summary>Bank policies by name, as <c>--bank-policies</c> lists them, comma-separated.</summary>
    /// <exception cref="UserException">A name is not known.</exception>
    public static IReadOnlyList<BankPolicy> ParseBankPolicies(string list) =>
        [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(BankPolicies.Parse).Distinct()];

    /// <summary>Variants by name, as <c>--ablate</c> lists them, comma-separated.</summary>
    /// <exception cref="UserException">A name is not known.</exception>
    public static IReadOnlyList<Ablation> ParseAblations(string list)
    {
        var chosen = new List<Ablation>();
        foreach (var name in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var at = Array.FindIndex(Ablations, a => a.Item1 == name);
            if (at < 0) throw new UserException($"There is no ablation \"{name}\"; it can be {string.Join(", ", Ablations.Select(a => a.Item1))}.");
            if (!chosen.Contains(Ablations[at].Item2)) chosen.Add(Ablations[at].Item2);
        }
        return chosen;
    }

    /// <summary>Reads and checks a stream file. Nothing else is opened.</summary>
    /// <exception cref="UserException">The file cannot be read, is not JSON, or says something that cannot be; the message names the place.</exception>
    public static StreamPlan Read(string path)
    {
        UserPath.Checked(path, "the stream file");
        byte[] bytes;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LargestFile }) throw new UserException($"{path} is larger than 16 MiB; that is not a stream file.");
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be read: {e.Message} Give the path of a stream file.", e);
        }
        return Parse(bytes, path);
    }

    internal static StreamPlan Parse(ReadOnlyMemory<byte> json, string path)
    {
        JsonDocument document;
        try
        {
            if (!Utf8.IsValid(json.Span)) throw new UserException($"{path} is not UTF-8 text; save it in that encoding.");
            if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
            document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 16 });
        }
        catch (JsonException e)
        {
            throw new UserException(string.Create(CultureInfo.InvariantCulture, $"{path} is not JSON: line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}. Correct it there."), e);
        }
        using (document) return Plan(new StrictJson(path, "", document.RootElement), path);
    }

    private static StreamPlan Plan(StrictJson root, string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var name = root.Text("name", Path.GetFileNameWithoutExtension(path));
        var label = root.Text("label", "cell_type");
        var stages = Stages(root, folder, label);
        var learning = root.Object("learning");
        double? scratchRate = learning is not null && learning.Has("rate") ? null : LearningSettings.DefaultScratchRate;
        var plan = new StreamPlan(
            name, Seeds(root), Base(root, folder), Geometry(root), null, null, root.Integer("min_genes", 0, 0, 1_000_000),
            [.. root.List("ablate").Select(a => root.ChoiceOf(a.Path, a.Element, Ablations)).Distinct()],
            Learning(learning), stages, Tests(root, folder, label, stages), Absolute(root, "output", folder, root.Text("output", name + ".out")))
        {
            ScratchRate = scratchRate,
            BankPolicies = [.. root.List("bank_policies").Select(a => root.ChoiceOf(a.Path, a.Element, Policies)).Distinct()],
        };
        if (root.Object("genes") is { } genes)
        {
            plan = plan with { Vocabulary = genes.OptionalText("vocabulary") is { } file ? Absolute(genes, genes.Path("vocabulary"), folder, file) : null, PanelSize = Panel(genes) };
            genes.Finish();
        }
        else
        {
            plan = plan with { PanelSize = 1000 };
        }
        root.Finish();
        return plan;
    }

    private static int? Panel(StrictJson genes) =>
        genes.Has("panel") && genes.Element("panel") is { ValueKind: JsonValueKind.String } text
            ? genes.ChoiceOf<int?>(genes.Path("panel"), text, ("all", null))
            : genes.Integer("panel", 1000, 2, 65_000);

    private static List<ulong> Seeds(StrictJson root)
    {
        var seeds = new List<ulong>();
        foreach (var (where, element) in root.List("seeds"))
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetUInt64(out var seed)) throw root.Fail(where, "is not a whole number from 0");
            if (seeds.Contains(seed)) throw root.Fail(where, "repeats a seed");
            seeds.Add(seed);
        }
        if (root.Has("seeds") && seeds.Count == 0) throw root.Fail("seeds", "is empty; give at least one, or leave the key out");
        return seeds.Count == 0 ? [1] : seeds;
    }

    private static StreamBase Base(StrictJson root, string folder)
    {
        if (!root.Has("base")) return new StreamBase(StreamBaseKind.Scratch, null, [], new PretrainSettings());
        var element = root.Element("base");
        if (element.ValueKind == JsonValueKind.String)
        {
            var text = root.TextOf("base", element);
            return text == "scratch"
                ? new StreamBase(StreamBaseKind.Scratch, null, [], new PretrainSettings())
                : new StreamBase(StreamBaseKind.Model, Absolute(root, "base", folder, text), [], new PretrainSettings());
        }
        var holder = root.At("base", element);
        var read = new StreamBase(StreamBaseKind.Pretrain, null, [], new PretrainSettings());
        var pretrain = holder.At("base.pretrain", holder.Element("pretrain"));
        var defaults = new PretrainSettings();
        var settings = new PretrainSettings
        {
            MaxEpochs = pretrain.Integer("max_epochs", defaults.MaxEpochs, 1, 100_000),
            Patience = pretrain.Integer("patience", defaults.Patience, 0, 100_000),
            Batch = pretrain.Integer("batch", defaults.Batch, 1, 65_536),
            Accumulation = pretrain.Integer("accumulation", 0, 0, 65_536),
            Rate = pretrain.Number("rate", defaults.Rate),
            Schedule = pretrain.Choice("schedule", ScheduleKind.Auto, Schedules),
            MaximumGradientNorm = pretrain.Number("clip", defaults.MaximumGradientNorm),
            ValidationShare = pretrain.Number("validation", defaults.ValidationShare),
        };
        var cells = pretrain.List("data").Select(d => Cells(pretrain.At(d.Path, d.Element), folder, finish: true)).ToList();
        pretrain.Finish();
        holder.Finish();
        Within(holder, "base.pretrain", () => settings.Validated());
        return read with { Cells = cells, Settings = settings };
    }

    private static StreamGeometry Geometry(StrictJson root)
    {
        var model = root.Object("model");
        if (model is null) return new StreamGeometry(200, 6, 10, 64, 266);
        var headWidth = model.Integer("head_width", 64, 2, 1024);
        var geometry = new StreamGeometry(
            model.Integer("width", 200, 2, 16_384), model.Integer("blocks", 6, 1, 200), model.Integer("heads", 10, 1, 512), headWidth,
            model.Integer("features", (int)(headWidth * Math.Log(headWidth)), 1, 16_384));
        model.Finish();
        return geometry;
    }

    private static LearningSettings Learning(StrictJson? learning)
    {
        var d = new LearningSettings();
        if (learning is null) return d;
        var settings = new LearningSettings
        {
            MaxEpochs = learning.Integer("max_epochs", d.MaxEpochs, 1, 100_000),
            Patience = learning.Integer("patience", d.Patience, 0, 100_000),
            Batch = learning.Integer("batch", d.Batch, 1, 65_536),
            Rate = learning.Number("rate", d.Rate),
            Schedule = learning.Choice("schedule", d.Schedule, Schedules),
            Lambda = learning.Number("lambda", d.Lambda),
            Smoothing = learning.Number("smoothing", d.Smoothing),
            MaximumGradientNorm = learning.Number("clip", d.MaximumGradientNorm),
            BankCapacity = learning.Integer("bank", d.BankCapacity, 0, 10_000_000),
            BankPolicy = learning.Choice("bank_policy", d.BankPolicy, [.. Enum.GetValues<BankPolicy>().Select(p => (p.ToString().ToLowerInvariant(), p))]),
            Trainable = learning.Choice("trainable", d.Trainable, TrainableParts.All),
            AcceptanceRate = learning.Number("acceptance", d.AcceptanceRate),
        };
        learning.Finish();
        Within(learning, "learning", () => settings.Validated());
        return settings;
    }

    private static List<StreamStage> Stages(StrictJson root, string folder, string label)
    {
        var stages = new List<StreamStage>();
        root.Element("stages");
        foreach (var (where, element) in root.List("stages"))
        {
            var stage = root.At(where, element);
            var cells = Cells(stage, folder, finish: false);
            var read = new StreamStage(stage.Text("name", Path.GetFileNameWithoutExtension(cells.Data)), cells, stage.Text("label", label));
            stage.Finish();
            if (stages.Any(s => s.Name == read.Name)) throw root.Fail(where + ".name", $"repeats \"{read.Name}\"; every stage needs a name of its own");
            stages.Add(read);
        }
        return stages.Count > 0 ? stages : throw root.Fail("stages", "is empty; give at least one stage");
    }

    private static List<StreamTest> Tests(StrictJson root, string folder, string label, List<StreamStage> stages)
    {
        if (!root.Has("tests"))
        {
            return [.. stages.Select((s, i) => (Stage: s, Index: i)).Where(s => s.Stage.Cells.Where == "split == train").Select(s =>
                new StreamTest(s.Stage.Name, s.Index, s.Stage.Cells with { Where = "split == test" }, s.Stage.Label, new Dictionary<string, string>()))];
        }
        var tests = new List<StreamTest>();
        foreach (var (where, element) in root.List("tests"))
        {
            var test = root.At(where, element);
            var cells = Cells(test, folder, finish: false);
            int? stage = test.Has("stage") ? test.Integer("stage", 1, 1, stages.Count) - 1 : null;
            var merge = new SortedDictionary<string, string>(StringComparer.Ordinal);
            if (test.Has("merge"))
            {
                var pairs = test.Element("merge");
                if (pairs.ValueKind != JsonValueKind.Object) throw root.Fail(where + ".merge", "is not an object of types and what they count as");
                foreach (var pair in pairs.EnumerateObject())
                {
                    var from = test.NameOf(where + ".merge", pair);
                    merge[from] = test.TextOf($"{where}.merge.{from}", pair.Value);
                }
                if (merge.Values.FirstOrDefault(merge.ContainsKey) is { } chained) throw root.Fail($"{where}.merge.{chained}", "is merged and merged into; name the last type directly");
            }
            var read = new StreamTest(test.Text("name", Path.GetFileNameWithoutExtension(cells.Data)), stage, cells, test.Text("label", label), merge);
            test.Finish();
            if (tests.Any(t => t.Name == read.Name)) throw root.Fail(where + ".name", $"repeats \"{read.Name}\"; every test set needs a name of its own");
            if (stage is not null && tests.Any(t => t.Stage == stage)) throw root.Fail(where + ".stage", "already has a test set; a stage has one, others get \"stage\": null");
            tests.Add(read);
        }
        return tests;
    }

    private static StreamCells Cells(StrictJson holder, string folder, bool finish)
    {
        var cells = new StreamCells(Absolute(holder, holder.Path("data"), folder, holder.RequiredText("data")), holder.OptionalText("where"));
        if (finish) holder.Finish();
        return cells;
    }

    private static void Within(StrictJson json, string where, Action check)
    {
        try
        {
            check();
        }
        catch (UserException e)
        {
            throw json.Fail(where + ":", e.Message.TrimEnd('.'));
        }
    }

    private static string Absolute(StrictJson json, string where, string folder, string path)
    {
        Within(json, where, () => UserPath.Checked(path, "a file"));
        return Path.GetFullPath(Path.Combine(folder, path));
    }
}
