using System.Globalization;
using Canal.Data;
using Canal.Data.H5ad;
using Canal.Engine.Random;
using Canal.Simulation;

namespace Canal.Benchmarks;

/// <summary>How large a drawn study is.</summary>
/// <param name="Cells">Cells.</param>
/// <param name="Genes">Genes.</param>
/// <param name="Transcripts">Transcripts of a cell, most of them of a gene of their own: how dense the matrix is.</param>
/// <param name="Types">Cell types, each with abundances of its own.</param>
/// <param name="Seed">Seed of the draws.</param>
public sealed record DrawnStudySettings(int Cells, int Genes, int Transcripts, int Types = 6, ulong Seed = 1);

/// <summary>
/// A large study for benchmarks, written block of cells by block of cells, compressed as AnnData compresses (gzip, level 4, chunks): transcripts drawn
/// from log-normal abundances of the cell's type. <see cref="StudySimulator"/> makes realistic ones, in memory.
/// </summary>
public static class DrawnStudy
{
    private const int BlockCells = 256;

    // Of ln abundance: over 20,000 genes 2,700 transcripts then fall on about 1,500 of them, as in real cells.
    private const double Spread = 1.6, TypeSpread = 0.7;

    /// <summary>Writes a study with the obs columns cell_type, split (a fifth for testing) and the notice that it is simulated.</summary>
    /// <param name="path">The file that is to appear.</param>
    /// <param name="settings">How large.</param>
    /// <param name="cancel">Stops between two blocks; nothing remains then.</param>
    /// <returns>Stored entries of the matrix.</returns>
    public static long Write(string path, DrawnStudySettings settings, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (cells, genes, seed) = (settings.Cells, settings.Genes, settings.Seed);
        var tables = Abundances(settings);
        var (rows, entries) = (new SparseRows(), 0L);
        var (counts, columns, values) = (new int[genes], new int[genes], new double[genes]);
        using var writer = new H5adWriter(path, genes);
        for (var first = 0; first < cells; first += BlockCells)
        {
            cancel.ThrowIfCancellationRequested();
            rows.Clear();
            for (var cell = first; cell < Math.Min(cells, first + BlockCells); cell++)
            {
                var draws = new RandomSequence(seed, RandomPurpose.Simulation, stage: 1, index: cell);
                Draw(ref draws, tables[cell % settings.Types], settings.Transcripts, counts);
                var n = 0;
                for (var gene = 0; gene < genes; gene++)
                {
                    if (counts[gene] == 0) continue;
                    (columns[n], values[n], counts[gene]) = (gene, counts[gene], 0);
                    n++;
                }
                rows.Append(columns.AsSpan(0, n), values.AsSpan(0, n));
            }
            entries += rows.Entries;
            writer.Append(rows);
        }
        var codes = Enumerable.Range(0, cells);
        writer.Complete(
            new AnnotationTable(Numbered("cell_", cells),
            [
                new CategoryColumn("cell_type", Numbered("type_", settings.Types), [.. codes.Select(cell => cell % settings.Types)]),
                new CategoryColumn("split", ["test", "train"], [.. codes.Select(cell => cell / settings.Types % 5 == 0 ? 0 : 1)]),
                new CategoryColumn(StudySimulator.NoticeColumn, [StudySimulator.Notice], new int[cells]),
            ]),
            new AnnotationTable(Numbered("GENE", genes), []),
            new Dictionary<string, object> { ["source"] = StudySimulator.Notice });
        return entries;
    }

    private static string[] Numbered(string what, int count) => [.. Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{what}{i:d7}"))];

    private static AliasTable[] Abundances(DrawnStudySettings settings)
    {
        var common = new RandomSequence(settings.Seed, RandomPurpose.Simulation);
        var baseline = new double[settings.Genes];
        for (var gene = 0; gene < baseline.Length; gene++) baseline[gene] = Spread * common.NextNormal();
        return [.. Enumerable.Range(0, settings.Types).Select(type =>
        {
            var own = new RandomSequence(settings.Seed, RandomPurpose.Simulation, index: 1 + type);
            var abundances = new double[baseline.Length];
            for (var gene = 0; gene < baseline.Length; gene++) abundances[gene] = Math.Exp(baseline[gene] + (TypeSpread * own.NextNormal()));
            return new AliasTable(abundances);
        })];
    }

    private static void Draw(ref RandomSequence draws, AliasTable abundances, int transcripts, int[] counts)
    {
        for (var i = 0; i < transcripts; i++) counts[abundances.Draw(ref draws)]++;
    }

    /// <summary>Draws by weight in constant time (Walker 1977; Vose 1991).</summary>
    private sealed class AliasTable
    {
        private readonly double[] keep;
        private readonly int[] other;

        public AliasTable(double[] weights)
        {
            var scale = weights.Length / weights.Sum();
            keep = Array.ConvertAll(weights, weight => weight * scale);
            other = [.. Enumerable.Range(0, weights.Length)];
            var (small, large) = (new Stack<int>(), new Stack<int>());
            for (var i = 0; i < keep.Length; i++) (keep[i] < 1 ? small : large).Push(i);
            while (small.Count > 0 && large.Count > 0)
            {
                var (low, high) = (small.Pop(), large.Pop());
                other[low] = high;
                keep[high] -= 1 - keep[low];
                (keep[high] < 1 ? small : large).Push(high);
            }
        }

        public int Draw(ref RandomSequence draws)
        {
            var place = draws.NextInt(keep.Length);
            return draws.NextDouble() < keep[place] ? place : other[place];
        }
    }
}
