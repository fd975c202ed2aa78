using Canal.Data;
using Canal.Interop.Hdf5;

namespace Canal.Fuzz;

/// <summary>The contents of a small .h5ad, to be spoilt and written: well-formed HDF5 that holds nonsense.</summary>
internal sealed class H5adContents
{
    private string form = "csr_matrix";
    private string location = "X";
    private long[] shape = [], pointers = [], indices = [];
    private double[] values = [];
    private string[] cells = [], genes = [], order = [], types = [], categories = [];
    private int[] codes = [];
    private readonly List<string> missing = [];
    private double logBase = double.NaN;

    private static readonly string[] hostileTexts =
    [
        "", " ", "\n", "a\nb", "\u001b[31mred\u001b[0m", "\u001b]0;title\u0007", "\r\rover", "\u0000", "a/b", "../../x", "[red]markup[/]", "{0}", "%s%n", "\u202Eright to left", "\uFFFE", "\u2028", "nan", "-", "Unassigned",
        "'; DROP TABLE", "=1+1", "\t", "\u007f\u0085\u009b", new string('x', 60_000), new string('é', 3_000), "_index", "__categories",
    ];

    private static readonly long[] hostileIntegers = [-1, -2, 0, 1, int.MaxValue, int.MinValue, (long)int.MaxValue + 1, long.MaxValue, long.MinValue, 1L << 40, 65536, 255];

    private static readonly double[] hostileValues = [double.NaN, double.PositiveInfinity, -1, -0.0, 1e308, double.Epsilon, 1e20, 0.5, 4294967296.0];

    /// <summary>Takes over what a sound file holds.</summary>
    public static H5adContents Of(ExpressionFile file)
    {
        var (rows, matrix) = (new SparseRows(), file.OpenMatrix("X"));
        matrix.ReadCells(0, matrix.CellCount, rows);
        var found = new H5adContents
        {
            shape = [matrix.CellCount, matrix.GeneCount],
            pointers = [.. rows.Offsets.ToArray().Select(offset => (long)offset)],
            indices = [.. Enumerable.Range(0, rows.Cells).SelectMany(cell => rows.Genes(cell).ToArray()).Select(gene => (long)gene)],
            values = [.. Enumerable.Range(0, rows.Cells).SelectMany(cell => rows.Values(cell).ToArray())],
            cells = [.. file.CellNames],
            genes = [.. file.GeneNames("X")],
            types = [.. file.ReadObs("cell_type").Values.Select(type => type ?? "")],
        };
        found.categories = [.. found.types.Distinct().Order(StringComparer.Ordinal)];
        found.codes = [.. found.types.Select(type => Array.IndexOf(found.categories, type))];
        found.order = ["cell_type", "text"];
        return found;
    }

    /// <summary>Spoils one to three things; says which.</summary>
    public string Spoil(Random random)
    {
        var done = new List<string>();
        if (random.Next(3) == 0) done.Add(TakeAnotherForm(random));
        for (var times = random.Next(1, 4); times > 0; times--) done.Add(SpoilOne(random));
        return string.Join(", ", done);
    }

    /// <summary>Writes the file.</summary>
    public void Write(string path)
    {
        using var file = Hdf5File.Create(path);
        WriteObs(file.Root);
        WriteVar(file.Root);
        WriteMatrix(file.Root);
        if (double.IsNaN(logBase)) return;
        using var uns = file.Root.CreateGroup("uns");
        using var log1p = uns.CreateGroup("log1p");
        log1p.WriteScalar("base", logBase).Dispose();
    }

    private string TakeAnotherForm(Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                Transpose();
                return "csc";
            case 1:
                form = "array";
                return "dense";
            case 2:
                location = "layers/counts";
                return "in layers";
            default:
                values = Array.ConvertAll(values, value => Math.Log(1 + value));
                return "logarithms";
        }
    }

    private string SpoilOne(Random random)
    {
        long Integer() => random.Next(2) == 0 ? hostileIntegers[random.Next(hostileIntegers.Length)] : random.Next(-3, 300);
        string Text() => hostileTexts[random.Next(hostileTexts.Length)];
        switch (random.Next(18))
        {
            case 0: return At(pointers, random, Integer(), "indptr");
            case 1: return At(indices, random, Integer(), "indices");
            case 2: return At(values, random, hostileValues[random.Next(hostileValues.Length)], "data");
            case 3: return At(shape, random, Integer(), "shape");
            case 4: return At(codes, random, (int)Math.Clamp(Integer(), int.MinValue, int.MaxValue), "codes");
            case 5: return At(cells, random, Text(), "a cell's name");
            case 6: return At(genes, random, Text(), "a gene's name");
            case 7: return At(categories, random, Text(), "a type's name");
            case 8: return At(order, random, Text(), "column-order");
            case 9: return Length(ref pointers, random, "indptr");
            case 10: return Length(ref indices, random, "indices");
            case 11: return Length(ref values, random, "data");
            case 12: return Length(ref cells, random, "cells");
            case 13: return Length(ref genes, random, "genes");
            case 14: return Length(ref codes, random, "codes");
            case 15: return Length(ref shape, random, "shape");
            case 16:
                logBase = hostileValues[random.Next(hostileValues.Length)];
                return "log base";
            default:
                string[] parts = ["obs", "var", "X", "indptr", "indices", "data", "shape", "encoding-type", "_index", "column-order", "cell_type", "categories", "codes"];
                missing.Add(parts[random.Next(parts.Length)]);
                return "no " + missing[^1];
        }
    }

    private static string At<T>(T[] array, Random random, T value, string what)
    {
        if (array.Length > 0) array[random.Next(array.Length)] = value;
        return what;
    }

    private static string Length<T>(ref T[] array, Random random, string what)
    {
        Array.Resize(ref array, random.Next(3) switch { 0 => 0, 1 => Math.Max(0, array.Length - 1), _ => array.Length + random.Next(1, 5) });
        return what + "'s length";
    }

    private void Transpose()
    {
        form = "csc_matrix";
        var entries = new List<(long Gene, long Cell, double Value)>();
        for (var cell = 0; cell + 1 < pointers.Length; cell++)
            for (var entry = pointers[cell]; entry < pointers[cell + 1]; entry++) entries.Add((indices[entry], cell, values[entry]));
        entries.Sort();
        pointers = [.. Enumerable.Range(0, (int)shape[1] + 1).Select(gene => (long)entries.Count(e => e.Gene < gene))];
        (indices, values) = ([.. entries.Select(e => e.Cell)], [.. entries.Select(e => e.Value)]);
    }

    private void WriteObs(Hdf5Group root)
    {
        if (missing.Contains("obs")) return;
        using var obs = root.CreateGroup("obs");
        if (!missing.Contains("_index")) obs.WriteAttribute("_index", "_index");
        if (!missing.Contains("column-order")) obs.WriteAttribute("column-order", Clean(order));
        obs.Write("_index", Clean(cells)).Dispose();
        obs.Write("text", Clean(types)).Dispose();
        if (missing.Contains("cell_type")) return;
        using var column = obs.CreateGroup("cell_type");
        column.WriteAttribute("encoding-type", "categorical");
        if (!missing.Contains("categories")) column.Write("categories", Clean(categories)).Dispose();
        if (!missing.Contains("codes")) column.Write<int>("codes", codes).Dispose();
    }

    private void WriteVar(Hdf5Group root)
    {
        if (missing.Contains("var")) return;
        using var table = root.CreateGroup("var");
        table.WriteAttribute("_index", "_index");
        table.Write("_index", Clean(genes)).Dispose();
    }

    private void WriteMatrix(Hdf5Group root)
    {
        if (missing.Contains("X")) return;
        using var layers = location == "X" ? null : root.CreateGroup("layers");
        var (parent, name) = (layers ?? root, location == "X" ? "X" : "counts");
        if (form == "array")
        {
            var width = Math.Max(1, genes.Length);
            using var dense = parent.CreateGrowingRows(name, width);
            var rows = new float[cells.Length * width];
            for (var entry = 0; entry < Math.Min(values.Length, rows.Length); entry++) rows[(int)(entry * 7L % rows.Length)] = (float)values[entry];
            if (rows.Length > 0) dense.AppendRows(rows);
            return;
        }
        using var matrix = parent.CreateGroup(name);
        if (!missing.Contains("encoding-type")) matrix.WriteAttribute("encoding-type", form);
        if (!missing.Contains("shape")) matrix.WriteAttribute("shape", shape);
        if (!missing.Contains("indptr")) matrix.Write<long>("indptr", pointers).Dispose();
        if (!missing.Contains("indices")) matrix.Write<long>("indices", indices).Dispose();
        if (!missing.Contains("data")) matrix.Write<double>("data", values).Dispose();
    }

    private static string[] Clean(string[] texts) => Array.ConvertAll(texts, text => text ?? "");
}
