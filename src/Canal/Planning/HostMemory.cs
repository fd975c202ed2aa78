using Canal.Data;
using Canal.Models;

namespace Canal.Planning;

/// <summary>
/// What a process takes beside the pool: the part of a plan that is not counted but estimated. The constants were measured on Linux x64 with
/// .NET 10 (<c>canal bench --job memory</c> measures them again and says how far a plan is off); a change that moves them shows in the tests.
/// </summary>
/// <param name="Program">Code, libraries, compiled code, the runtime's own tables and the youngest garbage.</param>
/// <param name="Reading">Buffers of the file being read.</param>
/// <param name="Cells">Names, labels, results: what there is of every cell.</param>
/// <param name="Tokens">Tokens or features held in memory; what goes beyond lies in a scratch file.</param>
/// <param name="Models">The model's weights outside the pool; in training also the best so far and the state that is written.</param>
/// <param name="Reader">A process that reads a file, which ends before a device computes; not part of <see cref="Total"/>.</param>
public sealed record HostMemory(ulong Program, ulong Reading, ulong Cells, ulong Tokens, ulong Models, ulong Reader)
{
    private const ulong KiB = 1UL << 10, MiB = 1UL << 20;
    private const ulong WithDevice = 76 * MiB, WithoutDevice = 66 * MiB, BeforeDevice = 70 * MiB;
    private const ulong AReader = 48 * MiB, MostReading = 13 * MiB, ReadingOfCell = KiB;

    // What each kind of job keeps of a cell, beside its name.
    private const ulong LabelsOfCell = 450, LearnedCell = 650, PretrainedCell = 120, ScoredCell = 600, FeaturesOfCell = 350;

    /// <summary>With the process that reads a file beside it, as expected: what computing brings with it is not there yet.</summary>
    public ulong WhileReading => Total - Program + Math.Min(Program, BeforeDevice) + Reader;

    /// <summary>With the process that reads a file beside it, for a limit that must be kept: a few MiB more than is expected.</summary>
    public ulong MostWhileReading => Total + Reader;

    /// <summary>Bytes of a cell's names and selections while its file is open.</summary>
    internal const ulong NamesOfCell = 300;

    // Of a panel of highly variable genes, the share that a cell expresses: what blood and pancreas cells have.
    private const double ShareExpressed = 0.2;

    /// <summary>All of it.</summary>
    public ulong Total => Program + Reading + Cells + Tokens + Models;

    /// <summary>Of a job that a device computes.</summary>
    /// <param name="job">The job.</param>
    /// <param name="model">Sizes of the model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="trainable">Those that train; 0 where none does.</param>
    /// <param name="cells">Cells.</param>
    public static HostMemory Of(PlannedJob job, ModelConfiguration model, long parameters, long trainable, long cells)
    {
        ArgumentNullException.ThrowIfNull(model);
        var weights = sizeof(float) * (ulong)parameters;
        var training = sizeof(float) * (ulong)trainable;
        return new HostMemory(WithDevice, ReadingOf(cells), (ulong)cells * (NamesOfCell + OfCell(job)), TokensOf(cells, model.Genes), job switch
        {
            // The model before and the one that grows; the best so far, and parameters and three moments as they are written.
            PlannedJob.Learn => (2 * weights) + (5 * training),
            PlannedJob.Pretrain => weights + (4 * training),
            _ => weights,
        }, ReaderOf(cells));
    }

    /// <summary>Of looking into a file.</summary>
    public static HostMemory OfInspection(long cells) => new(WithoutDevice, ReadingOf(cells), (ulong)cells * NamesOfCell, 0, 0, ReaderOf(cells));

    /// <summary>Of scoring a file that was annotated.</summary>
    public static HostMemory OfEvaluation(long cells) => new(WithoutDevice, 0, (ulong)cells * ScoredCell, 0, 0, AReader + ((ulong)cells * NamesOfCell));

    /// <summary>Of the baseline.</summary>
    /// <param name="cells">Cells of all sets.</param>
    /// <param name="genes">Genes of the panel.</param>
    /// <param name="types">Cell types.</param>
    /// <param name="fits">Fits at a time.</param>
    public static HostMemory OfBaseline(long cells, int genes, int types, int fits) => new(
        WithDevice, ReadingOf(cells), (ulong)cells * (NamesOfCell + FeaturesOfCell), 3 * TokensOf(cells, genes),
        // Weights, gradients of eight parts and twenty vectors of L-BFGS, float64.
        (ulong)fits * 32 * sizeof(double) * (ulong)(genes + 1) * (ulong)(types + 3), ReaderOf(cells));

    /// <summary>What the tokens of so many cells are expected to take in memory.</summary>
    public static ulong TokensOf(long cells, int genes) => (ulong)Math.Min(TokenStoreWriter.DefaultMemoryBytes, 3 * ShareExpressed * cells * genes);

    private static ulong ReaderOf(long cells) => AReader + ReadingOf(cells) + ((ulong)cells * NamesOfCell);

    private static ulong ReadingOf(long cells) => Math.Min(MostReading, ReadingOfCell * (ulong)cells);

    private static ulong OfCell(PlannedJob job) => job switch
    {
        PlannedJob.Learn => LearnedCell,
        PlannedJob.Pretrain => PretrainedCell,
        _ => LabelsOfCell,
    };
}
