using System.Globalization;
using System.Text;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Engine.Operations;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>The tables of kernels/README.md, as Markdown.</summary>
internal static class KernelTable
{
    private const string Absent = "–";
    private static readonly string Shown = string.Join(" / ", CompiledKernels.Architectures.Select(architecture => string.Create(CultureInfo.InvariantCulture, $"{architecture / 10}.{architecture % 10}")));

    /// <summary>Registers, shared memory and blocks a multiprocessor of every kernel of scBERT, as compiled.</summary>
    public static string Resources(CompiledKernels kernels)
    {
        var text = new StringBuilder($"""
            | program | kernel | block | registers {Shown} | shared bytes | blocks an SM {Shown} |
            | --- | --- | ---: | ---: | ---: | ---: |

            """);
        foreach (var program in CompiledKernels.Architectures.SelectMany(kernels.Programs).DistinctBy(program => program.Name).OrderBy(program => program.Name, StringComparer.Ordinal))
        {
            var uses = CompiledKernels.Architectures.Select(architecture => Uses(kernels, program.Name, architecture)).ToArray();
            foreach (var kernel in uses.SelectMany(use => use.Keys).Distinct().Order(StringComparer.Ordinal))
            {
                var columns = uses.Select(use => use.GetValueOrDefault(kernel)).ToArray();
                text.Append(CultureInfo.InvariantCulture, $"| {program.Name} | {kernel} | {Joined(columns, use => use.Threads, merge: true)} | {Joined(columns, use => use.Registers)} ");
                text.AppendLine(CultureInfo.InvariantCulture, $"| {Joined(columns, use => use.SharedBytes, merge: true)} | {Joined(columns, use => use.Blocks)} |");
            }
        }
        return text.ToString();
    }

    /// <summary>Bytes, FLOPs and exponentials of every operation with a kernel of its own, and the predicted time.</summary>
    public static string Predictions(CompiledKernels kernels)
    {
        var runs = Card.All.Select(card => CudaPrecision.All.Where(precision => precision.Fits(card.Architecture))
            .SelectMany(precision => kernels.Tour(card.Architecture, precision).All).Where(run => run.Launches.Count > 0)
            .GroupBy(Key).ToDictionary(same => same.Key, same => same.MaxBy(run => run.Bytes)!)).ToArray();
        var text = new StringBuilder($"""
            | operation | size | program: kernels | bytes | FLOPs | exponentials | {string.Join(" | ", Card.All.Select(card => card.Name))} |
            | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |

            """);
        foreach (var key in runs.SelectMany(card => card.Keys).Distinct().OrderBy(key => key.Name, StringComparer.Ordinal).ThenBy(key => key.Programs, StringComparer.Ordinal).ThenBy(key => key.Kernels, StringComparer.Ordinal))
        {
            var run = runs.Select(card => card.GetValueOrDefault(key)).First(run => run is not null)!;
            var times = Card.All.Select((card, index) => runs[index].TryGetValue(key, out var own) ? Units.Time(card.Seconds(own)) : Absent);
            text.AppendLine(CultureInfo.InvariantCulture, $"| {run.Name} | {run.Size} | {run.Programs}: {run.Kernels} | {Units.Bytes(run.Bytes)} | {Units.Count(run.Flops)} | {Units.Count(run.Exponentials)} | {string.Join(" | ", times)} |");
        }
        return text.ToString();
    }

    /// <summary>Attention on tensor cores: its limit beside what its kernels' headers expect.</summary>
    public static string Expectations(CompiledKernels kernels)
    {
        Card[] cards = [Card.A100, Card.H200];
        var text = new StringBuilder($"""
            | operation | {string.Join(" | ", cards.Select(card => $"{card.Name}: limit | expected | share of the limit"))} |
            | --- | ---: | ---: | ---: | ---: | ---: | ---: |

            """);
        foreach (var name in (string[])[FavorForward.Name, FavorBackward.Name])
        {
            var columns = cards.Select(card =>
            {
                var run = kernels.Tour(card.Architecture, CudaPrecision.Bf16).Train.First(run => run.Name == name);
                var (limit, expected) = (card.Seconds(run), Expectation.Of(run, card)!.Value);
                return string.Create(CultureInfo.InvariantCulture, $"{Units.Time(limit)} | {expected} | {100 * limit / expected.Longest:F0} to {100 * limit / expected.Shortest:F0} %");
            });
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name}, bf16 | {string.Join(" | ", columns)} |");
        }
        return text.ToString();
    }

    /// <summary>Whole jobs: the sum of the predicted times of all their operations, matrix products included; at the limit, and with attention as expected.</summary>
    public static string Jobs(CompiledKernels kernels)
    {
        var text = new StringBuilder($"""
            | job | {string.Join(" | ", Card.All.Select(card => $"{card.Name}, {CudaPrecision.DefaultFor(card.Architecture).Name}"))} |
            | --- | ---: | ---: | ---: |

            """);
        (string Name, int Cells, Func<ScBertTour, IReadOnlyList<OperationRun>> Runs)[] jobs =
        [
            ($"annotate {ScBertTour.Cells} cells of {ScBertTour.Tokens:N0} tokens", ScBertTour.Cells, tour => tour.Annotate),
            ($"annotate a cell of {ScBertTour.LongTokens:N0} tokens", 1, tour => tour.AnnotateLong),
            ($"learn, a step of {ScBertTour.Cells} cells of {ScBertTour.Tokens:N0} tokens, prefix cached", ScBertTour.Cells, tour => tour.Train),
        ];
        foreach (var (name, cells, work) in jobs)
        {
            var runs = Card.All.Select(card => (Card: card, Runs: work(kernels.Tour(card.Architecture, CudaPrecision.DefaultFor(card.Architecture))))).ToList();
            var limits = runs.Select(on => on.Runs.Sum(on.Card.Seconds));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name}: limit | {string.Join(" | ", limits.Select(seconds => $"{Units.Time(seconds)}, {Units.Rounded(cells / seconds)} cells/s"))} |");
            text.AppendLine(CultureInfo.InvariantCulture, $"| with attention as expected | {string.Join(" | ", runs.Select(on => Expectation.Of(on.Runs, on.Card) is { } expected
                ? $"{expected}, {Units.Rounded(cells / expected.Longest)} to {Units.Rounded(cells / expected.Shortest)} cells/s" : Absent))} |");
        }
        return text.ToString();
    }

    private static (string Name, string Programs, string Kernels) Key(OperationRun run) => (run.Name, run.Programs, run.Kernels);

    private static Dictionary<string, Use> Uses(CompiledKernels kernels, string program, int architecture)
    {
        var launches = kernels.Launches(architecture).Where(launch => launch.Program.Name == program).ToLookup(launch => launch.Kernel, launch => launch.Shape);
        var uses = new Dictionary<string, Use>();
        foreach (var compiled in kernels.Programs(architecture).Where(compiled => compiled.Name == program))
        {
            var bounds = LaunchBounds.Of(kernels.Ptx(compiled));
            foreach (var kernel in ResourceLog.Parse(kernels.Compile(compiled, architecture).Log))
            {
                var threads = launches[kernel.Kernel].Select(shape => shape.Threads).DefaultIfEmpty(bounds[kernel.Kernel]).Max();
                var shared = kernel.SharedBytes + launches[kernel.Kernel].Select(shape => shape.SharedBytes).DefaultIfEmpty(0).Max();
                uses[kernel.Kernel] = new Use(threads, kernel.Registers, shared, Multiprocessor.Of(architecture).BlocksOf(threads, kernel.Registers, shared));
            }
        }
        return uses;
    }

    private static string Joined(Use?[] columns, Func<Use, int> value, bool merge = false)
    {
        var texts = columns.Select(use => use is null ? Absent : value(use).ToString(CultureInfo.InvariantCulture)).ToList();
        var told = texts.Where(text => text != Absent).Distinct().ToList();
        return merge && told.Count == 1 ? told[0] : string.Join(" / ", texts);
    }

    private sealed record Use(int Threads, int Registers, int SharedBytes, int Blocks);
}
