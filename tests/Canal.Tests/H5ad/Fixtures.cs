using System.Diagnostics;
using Canal.Data;
using Canal.Data.H5ad;

namespace Canal.Tests.H5ad;

/// <summary>The committed small files (tests/fixtures/make_h5ad.py): 23 cells x 7 genes, value (5 c + 3 g) mod 4.</summary>
internal static class Fixtures
{
    public const int Cells = 23, Genes = 7;
    public static readonly string[] CellNames = [.. Enumerable.Range(0, Cells).Select(cell => $"cell{cell}")];
    public static readonly string[] GeneNames = [.. Enumerable.Range(0, Genes).Select(gene => $"GENE{gene}")];
    public static readonly string?[] Types = [.. Enumerable.Range(0, Cells).Select(cell => (cell % 4) switch { 0 => null, 1 => "alpha", 2 => "beta", _ => "gamma δ" })];

    public static double Value(int cell, int gene) => (5 * cell + 3 * gene) % 4;

    /// <summary>Path of a fixture.</summary>
    public static string Find(string name) => Path.Combine(AppContext.BaseDirectory, "fixtures", "h5ad", name + ".h5ad");

    public static H5adFile Open(string name) => H5adFile.Open(Find(name));

    /// <summary>Every cell of a matrix holds exactly the expected entries, whatever the block size.</summary>
    public static void AssertMatrix(ExpressionMatrix matrix, Func<int, int, double> expected, int blockCells)
    {
        var block = new SparseRows();
        for (var first = 0; first < matrix.CellCount; first += blockCells)
        {
            matrix.ReadCells(first, Math.Min(blockCells, matrix.CellCount - first), block);
            for (var cell = 0; cell < block.Cells; cell++)
            {
                var row = first + cell;
                var genes = Enumerable.Range(0, matrix.GeneCount).Where(gene => expected(row, gene) != 0).ToArray();
                Assert.Equal(genes, block.Genes(cell).ToArray());
                Assert.Equal(genes.Select(gene => expected(row, gene)), block.Values(cell).ToArray());
            }
        }
    }

    /// <summary>Runs a Python script with AnnData; skips the test where there is none. Returns what it printed.</summary>
    public static string Python(string script, params string[] arguments)
    {
        using var process = StartPython(script, arguments);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output + error.Result);
        return output.Trim();
    }

    /// <summary>Starts a Python script that may use h5py and AnnData; skips the test where there is none.</summary>
    public static Process StartPython(string script, params string[] arguments)
    {
        const string python = "/usr/bin/python3";
        Skip.IfNot(Directory.Exists("/usr/lib/python3/dist-packages/anndata") && File.Exists(python), "No Debian Python with AnnData here (python3-anndata).");
        return Process.Start(new ProcessStartInfo(python, ["-W", "ignore", "-c", script, .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
    }
}
