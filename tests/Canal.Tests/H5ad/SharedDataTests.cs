using Canal.Data;
using Canal.Data.H5ad;
using Canal.Testing;

namespace Canal.Tests.H5ad;

/// <summary>The published data sets open, and hold what their README says.</summary>
public sealed class SharedDataTests
{
    public static TheoryData<string, int, int, double, double> Files => new()
    {
        // name, cells, genes, median counts a cell, mean number of non-zero genes (data/README.md)
        { "pancreas_baron_human", 2812, 2000, 3934, 921 },
        { "pancreas_segerstolpe", 702, 2000, 269_050, 1537 },
        { "pancreas_five_tech_small", 500, 2000, 1304, 199 },
        { "pancreas_baron_human_fullgenes_small", 175, 12_474, 4896, 1749 },
        { "pancreas_lawlor_small", 128, 1403, 555_990, 1183 },
        { "pbmc_zheng_sorted", 3874, 16_791, 1509, 714 },
        { "pbmc3k", 2638, 13_714, 2213, 849 },
        { "pbmc68k_reduced", 700, 765, 653, 249 },
    };

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public void Published_counts_read_as_described(string name, int cells, int genes, double medianCounts, double meanGenes)
    {
        using var file = Open(name + ".h5ad");
        Assert.Equal(["X"], file.Matrices);
        var matrix = file.OpenMatrix("X");
        Assert.Equal((cells, genes), (matrix.CellCount, matrix.GeneCount));
        Assert.Equal((cells, genes), (file.CellCount, file.GeneNames("X").Count));
        var block = new SparseRows();
        var totals = new List<double>();
        long entries = 0;
        for (var first = 0; first < cells; first += 97)
        {
            matrix.ReadCells(first, Math.Min(97, cells - first), block);
            Assert.Equal(Math.Min(97, cells - first), block.Cells);
            for (var cell = 0; cell < block.Cells; cell++)
            {
                double total = 0;
                foreach (var value in block.Values(cell))
                {
                    Assert.True(value > 0 && value == Math.Floor(value));
                    total += value;
                }
                totals.Add(total);
                entries += block.Genes(cell).Length;
            }
        }
        totals.Sort();
        var median = (totals[(cells - 1) / 2] + totals[cells / 2]) / 2;
        Assert.True(Math.Abs(median - medianCounts) <= 0.5, $"median {median}"); // the README rounds to whole numbers
        Assert.True(Math.Abs((double)entries / cells - meanGenes) <= 0.5, $"mean {(double)entries / cells}");
        Assert.Contains("cell_type", file.ObsColumns);
        Assert.DoesNotContain(null, file.ReadObs("cell_type").Values);
    }

    [SkippableFact]
    public void Cell_types_are_counted_as_published()
    {
        using var file = Open("pbmc3k.h5ad");
        var types = file.ReadObs("cell_type").Values.GroupBy(type => type!).ToDictionary(group => group.Key, group => group.Count());
        Assert.Equal(
            new Dictionary<string, int>
            {
                ["cd4_t"] = 1180, ["cd14_monocyte"] = 480, ["b_cell"] = 344, ["cd8_t"] = 271,
                ["fcgr3a_monocyte"] = 162, ["nk"] = 155, ["dc"] = 32, ["megakaryocyte"] = 14,
            },
            types);
        var split = file.ReadObs("split").Values;
        Assert.Equal((2111, 527), (split.Count(part => part == "train"), split.Count(part => part == "test")));
    }

    [SkippableFact]
    public void Var_columns_are_read()
    {
        using var file = Open("pbmc_zheng_sorted.h5ad");
        Assert.Equal(["ensembl"], file.VarColumns("X"));
        var ensembl = file.ReadVar("X", "ensembl").Values;
        Assert.Equal(16_791, ensembl.Count);
        Assert.All(ensembl, id => Assert.StartsWith("ENSG", id, StringComparison.Ordinal));
    }

    [SkippableFact]
    public void A_file_with_scaled_X_and_raw_opens()
    {
        using var file = Open("pbmc68k_reduced_scanpy_original.h5ad");
        Assert.Equal(["raw/X", "X"], file.Matrices);
        var block = new SparseRows();
        var raw = file.OpenMatrix("raw/X");
        raw.ReadCells(0, 700, block);
        Assert.Equal(174_400, block.Entries);
        Assert.Equal((700, 765), (raw.CellCount, raw.GeneCount));
        file.OpenMatrix("X").ReadCells(0, 700, block);
        Assert.Contains(Enumerable.Range(0, 700), cell => block.Values(cell).IndexOfAnyInRange(double.NegativeInfinity, -0.1) >= 0);
        Assert.Equal(file.GeneNames("X"), file.GeneNames("raw/X"));
        Assert.Equal(["bulk_labels", "n_genes", "percent_mito", "n_counts", "S_score", "G2M_score", "phase", "louvain"], file.ObsColumns);
        Assert.Equal(240, file.ReadObs("bulk_labels").Values.Count(type => type == "Dendritic"));
        Assert.All(file.ReadObs("n_genes").Values, count => Assert.True(int.Parse(count!, System.Globalization.CultureInfo.InvariantCulture) > 0));
        Assert.Null(file.DeclaredLogBase);
    }

    private static H5adFile Open(string name) => H5adFile.Open(SharedFiles.Require("data", name));
}
