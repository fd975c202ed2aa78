using Canal.Data;
using Canal.Learning;
using Canal.Models;

namespace Canal.Planning;

/// <summary>Sizes of a stream's data sets.</summary>
/// <param name="Base">Cells that are pre-trained on.</param>
/// <param name="Stages">Training cells of each stage.</param>
/// <param name="Tests">Cells of each test set.</param>
/// <param name="Genes">Genes of the first data set.</param>
public sealed record StreamSizes(int Base, IReadOnlyList<int> Stages, IReadOnlyList<int> Tests, int Genes)
{
    /// <summary>Opens every data set and counts the selected cells; no matrix is read.</summary>
    /// <exception cref="UserException">A data set cannot be read.</exception>
    public static StreamSizes Of(StreamPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var genes = 0;
        int Count(StreamCells cells)
        {
            using var reader = DataSetReader.Open(cells.Data, new DataSetSettings { Where = cells.Where });
            if (genes == 0) genes = reader.File.GeneNames(reader.Source.Location).Count;
            return reader.Rows.Count;
        }
        int[] stages = [.. plan.Stages.Select(stage => Count(stage.Cells))];
        return new StreamSizes(plan.Base.Cells.Count > 0 ? plan.Base.Cells.Sum(Count) : stages[0], stages, [.. plan.Tests.Select(test => Count(test.Cells))], genes);
    }
}

/// <summary>Plans a stream by its largest job.</summary>
public static class StreamPlanner
{
    // How many types a stage adds is known when its cells are read, and hardly moves a plan.
    private const int FirstTypes = 10, LaterTypes = 1;

    /// <summary>The plan of the job whose pool is largest, with the host memory that the jobs of the stream need at most: all its cells are open at once.</summary>
    /// <exception cref="InsufficientMemoryException">A job cannot be done within the planner's limit.</exception>
    public static JobPlan Plan(StreamPlan plan, StreamSizes sizes, JobPlanner planner)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(sizes);
        ArgumentNullException.ThrowIfNull(planner);
        var jobs = Jobs(plan, sizes, planner).ToList();
        var largest = jobs.MaxBy(job => job.PeakBytes)!;
        var all = (ulong)(sizes.Base + sizes.Stages.Sum() + sizes.Tests.Sum());
        return largest with
        {
            Host = largest.Host with
            {
                Cells = jobs.Max(job => job.Host.Cells) + (all * HostMemory.NamesOfCell),
                Tokens = HostMemory.TokensOf((long)all, largest.Configuration.Genes),
                Models = jobs.Max(job => job.Host.Models),
                Reader = jobs.Max(job => job.Host.Reader) * (ulong)Math.Max(1, plan.Base.Cells.Count),
            },
        };
    }

    private static IEnumerable<JobPlan> Jobs(StreamPlan plan, StreamSizes sizes, JobPlanner planner)
    {
        var given = plan.Base is { Kind: StreamBaseKind.Model, ModelPath: { } path } ? ModelFile.Load(path) : null;
        var configuration = given?.Configuration ?? new ModelConfiguration
        {
            Genes = Math.Min(plan.PanelSize ?? sizes.Genes, Math.Min(sizes.Genes, ushort.MaxValue)), Width = plan.Geometry.Width, Blocks = plan.Geometry.Blocks, Heads = plan.Geometry.Heads,
            HeadWidth = plan.Geometry.HeadWidth, Features = plan.Geometry.Features,
        };
        if (plan.Base.Kind == StreamBaseKind.Pretrain) yield return planner.Pretrain(StandIns.Fresh(configuration, 1), sizes.Base, plan.Base.Settings);
        var first = given ?? (plan.Base.Kind == StreamBaseKind.Scratch ? StandIns.Fresh(configuration, 1) : StandIns.Base(configuration, 1));
        for (var stage = 0; stage < sizes.Stages.Count; stage++)
        {
            var previous = stage == 0 ? first : StandIns.AfterStageOne(configuration, FirstTypes, plan.Learning.BankCapacity, 1);
            var cells = plan.Ablations.Contains(Ablation.Joint) ? sizes.Stages.Take(stage + 1).Sum() : sizes.Stages[stage];
            yield return planner.Learn(previous, cells, previous.Library.Count == 0 ? FirstTypes : LaterTypes, plan.Learning);
        }
        if (sizes.Tests.Count > 0) yield return planner.Annotate(StandIns.AfterStageOne(configuration, FirstTypes, 0, 1), sizes.Tests.Max());
    }
}
