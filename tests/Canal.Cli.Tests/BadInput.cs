using System.Security.Cryptography;
using Canal.Data;
using Canal.Data.H5ad;
using Canal.Interop.Hdf5;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>A folder with an old output in it: whatever is refused must leave it as it was, and nothing beside it.</summary>
internal sealed class BadInput : IDisposable
{
    private readonly TemporaryFolder inputs = new(), outputs = new();

    public BadInput()
    {
        foreach (var name in new[] { "old.h5ad", "old.csv", "old.safetensors" }) File.WriteAllText(outputs[name], "an output of yesterday");
    }

    /// <summary>A path for a file that the test makes.</summary>
    public string In(string name) => inputs[name];

    /// <summary>A path to write to; <c>old.*</c> exist.</summary>
    public string Out(string name) => outputs[name];

    /// <summary>Runs a command that must be refused in one line with these words, exit code 2, and must not have written anything.</summary>
    public void Refuses(string[] arguments, params string[] words)
    {
        var before = Snapshot();
        var run = CommandLineRun.Of(arguments);
        run.AssertRefused(words);
        Assert.Empty(run.Out);
        Assert.Equal(before, Snapshot());
    }

    /// <summary>A copy of a study with its counts, cells, genes or an obs column changed.</summary>
    public string Rewrite(
        string study, Func<SparseRows, SparseRows>? rows = null, Func<string, int, string>? cell = null, Func<string, int, string>? gene = null,
        string column = "cell_type", Func<string?, int, string?>? value = null, int? cells = null)
    {
        using var file = ExpressionFiles.Open(study);
        var (genes, block) = (file.GeneNames("X"), new SparseRows());
        var count = cells ?? file.CellCount;
        if (count > 0) file.OpenMatrix("X").ReadCells(0, count, block);
        var path = In("made.h5ad");
        using var writer = new H5adWriter(path, genes.Count);
        if (count > 0) writer.Append(rows is null ? block : rows(block));
        writer.Complete(
            new AnnotationTable(
                [.. file.CellNames.Take(count).Select((name, i) => cell is null ? name : cell(name, i))],
                [.. file.ObsColumns.Select(c => CategoryColumn.FromValues(c, [.. file.ReadObs(c).Values.Take(count).Select((v, i) => c == column && value is not null ? value(v, i) : v)]))]),
            new AnnotationTable([.. genes.Select((name, i) => gene is null ? name : gene(name, i))], []));
        return path;
    }

    /// <summary>A copy of a study whose HDF5 objects were changed.</summary>
    public string Change(string study, Action<Hdf5Group> change)
    {
        var path = In("changed.h5ad");
        File.Copy(study, path, overwrite: true);
        using var file = Hdf5File.OpenWrite(path);
        change(file.Root);
        return path;
    }

    /// <summary>A file of some bytes.</summary>
    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(In(name), bytes);
        return In(name);
    }

    public void Dispose()
    {
        inputs.Dispose();
        outputs.Dispose();
    }

    private string[] Snapshot() =>
    [
        .. new[] { inputs.Root, outputs.Root }.SelectMany(root => Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories)).Order(StringComparer.Ordinal)
            .Select(entry => entry + " " + (Directory.Exists(entry) ? "folder" : Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(entry))))),
    ];
}
