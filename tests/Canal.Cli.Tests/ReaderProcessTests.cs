using System.Diagnostics;
using Canal.Data;
using Canal.Data.H5ad;
using Canal.Data.H5ad.Isolation;
using Canal.Interop.Hdf5;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>The process that reads an .h5ad: it tells what reading here tells, and whatever becomes of it is one line.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class ReaderProcessTests(SimulatedStream stream) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory, InlineData("modern"), InlineData("csc"), InlineData("dense_f16"), InlineData("dense_bool"), InlineData("legacy_0.5"), InlineData("legacy_0.7"), InlineData("soft_links")]
    public void TellsWhatReadingHereTells(string name)
    {
        var path = Fixture(name);
        using var here = H5adFile.Open(path, folder.Root);
        using var there = IsolatedFile.Open(path, folder.Root, null, ProgramProcess.Reader);
        Assert.Equal(here.CellNames, there.CellNames);
        Assert.Equal(here.CellCount, there.CellCount);
        Assert.Equal(here.ObsColumns, there.ObsColumns);
        Assert.Equal(here.Matrices, there.Matrices);
        Assert.Equal(here.DeclaredLogBase, there.DeclaredLogBase);
        Assert.Equal(here.ReadNotes(), there.ReadNotes());
        foreach (var column in here.ObsColumns) Assert.Equal(Told(() => here.ReadObs(column).Values), Told(() => there.ReadObs(column).Values));
        foreach (var location in here.Matrices)
        {
            Assert.Equal(here.GeneNames(location), there.GeneNames(location));
            Assert.Equal(here.VarColumns(location), there.VarColumns(location));
            foreach (var column in here.VarColumns(location)) Assert.Equal(Told(() => here.ReadVar(location, column).Values), Told(() => there.ReadVar(location, column).Values));
            var (ours, theirs) = (here.OpenMatrix(location), there.OpenMatrix(location));
            Assert.Equal((ours.CellCount, ours.GeneCount, ours.Location), (theirs.CellCount, theirs.GeneCount, theirs.Location));
            var (expected, actual) = (new SparseRows(), new SparseRows());
            foreach (var (first, count) in new[] { (0, 5), (3, 1), (4, 0), (5, ours.CellCount - 5) })
            {
                ours.ReadCells(first, count, expected);
                if (first != 4) theirs.Expect(first == 0 ? 1 : first, count); // wrong, right, none
                if (first == 3) Assert.Equal(here.ObsColumns, there.ObsColumns);
                theirs.ReadCells(first, count, actual);
                if (first == 5) theirs.Expect(0, 2);
                Assert.Equal(expected.Offsets, actual.Offsets);
                Assert.Equal(expected.AllGenes, actual.AllGenes);
                Assert.Equal(expected.AllValues, actual.AllValues);
            }
        }
        Assert.Equal(Assert.Throws<UserException>(() => here.ReadObs("nowhere")).Message, Assert.Throws<UserException>(() => there.ReadObs("nowhere")).Message);
        Assert.Equal(Assert.Throws<UserException>(() => here.OpenMatrix("nowhere")).Message, Assert.Throws<UserException>(() => there.OpenMatrix("nowhere")).Message);
    }

    [Fact]
    public void TellsWhatAnnotationNoted()
    {
        using var there = IsolatedFile.Open(stream.Annotated, null, null, ProgramProcess.Reader);
        using var here = H5adFile.Open(stream.Annotated);
        Assert.NotEmpty(there.ReadNotes()!.KnownTypes);
        Assert.Equal(here.ReadNotes()!.KnownTypes, there.ReadNotes()!.KnownTypes);
        Assert.Equal(here.ReadNotes()!.Simulated, there.ReadNotes()!.Simulated);
        Assert.Equal(here.ReadObs("canal_novelty").Values, there.ReadObs("canal_novelty").Values);
    }

    [Fact]
    public void AddsTheSame()
    {
        var additions = new H5adAdditions
        {
            Obs =
            [
                CategoryColumn.FromValues("canal_type", [.. Enumerable.Range(0, 23).Select(i => i % 3 == 0 ? null : "type" + (i % 2))]), new NumberColumn<float>("canal_f", [.. Enumerable.Range(0, 23).Select(i => i / 3f)]),
                new NumberColumn<double>("canal_d", [.. Enumerable.Range(0, 23).Select(i => i / 3.0)]), new TextColumn("canal_t", [.. Enumerable.Range(0, 23).Select(i => "δ" + i)]),
                new BooleanColumn("canal_b", [.. Enumerable.Range(0, 23).Select(i => i % 2 == 0)]),
            ],
            Obsm = [CellEmbedding.FromArray("X_canal", 3, [.. Enumerable.Range(0, 69).Select(i => i / 7f)])],
            Uns = new Dictionary<string, object>
            {
                ["canal"] = new Dictionary<string, object> { ["text"] = "x", ["list"] = new[] { "a", "b" }, ["number"] = 3.5, ["whole"] = 7L, ["truth"] = true, ["numbers"] = new[] { 1.5, 2.5 } },
            },
        };
        foreach (var name in new[] { "modern", "legacy_0.5" })
        {
            File.Copy(Fixture(name), folder["here.h5ad"], overwrite: true);
            File.Copy(Fixture(name), folder["there.h5ad"], overwrite: true);
            H5adAnnotator.Amend(Fixture(name), folder["here.h5ad"], "target.h5ad", additions, CancellationToken.None);
            using (var amender = new IsolatedAmender(Fixture(name), ProgramProcess.Reader))
            {
                amender.RequireReadable();
                amender.Amend(folder["there.h5ad"], "target.h5ad", additions, CancellationToken.None);
            }
            using var here = H5adFile.Open(folder["here.h5ad"]);
            using var there = H5adFile.Open(folder["there.h5ad"]);
            Assert.Equal(here.ObsColumns, there.ObsColumns);
            Assert.Equal(additions.Obs.Count, here.ObsColumns.Count(column => column.StartsWith("canal_", StringComparison.Ordinal)));
            foreach (var column in here.ObsColumns) Assert.Equal(Told(() => here.ReadObs(column).Values), Told(() => there.ReadObs(column).Values));
            // Nothing else differs but the second in which an object was made.
            var (ours, theirs) = (File.ReadAllBytes(folder["here.h5ad"]), File.ReadAllBytes(folder["there.h5ad"]));
            Assert.Equal(ours.Length, theirs.Length);
            Assert.InRange(Enumerable.Range(0, ours.Length).Count(at => ours[at] != theirs[at]), 0, ours.Length / 50);
        }
    }

    [SkippableTheory]
    [InlineData("kill -SEGV $$", typeof(UserException), "the HDF5 library crashed while opening it; the file is damaged")]
    [InlineData("kill -ABRT $$", typeof(UserException), "the HDF5 library crashed while opening it; the file is damaged")]
    [InlineData("exit 97", typeof(UserException), "the HDF5 library did not come back from opening it")]
    [InlineData("head -c 6 >/dev/null; printf '\\370\\001'; exec sleep 9", typeof(UserException), "went wrong while opening it")]
    [InlineData("head -c 6 >/dev/null; printf '\\002\\377\\377\\377\\377\\377'", typeof(UserException), "went wrong while opening it")]
    [InlineData("kill -KILL $$", typeof(MachineException), "was killed while opening it")]
    [InlineData("echo 'no such runtime' >&2; exit 3", typeof(MachineException), "could not go on (exit code 3): no such runtime")]
    [InlineData("kill -TERM $$", typeof(OperationCanceledException), "")]
    [InlineData("kill -INT $$", typeof(OperationCanceledException), "")]
    public void ItsDeathIsOneLine(string script, Type kind, string words)
    {
        Skip.If(OperatingSystem.IsWindows(), "There is no shell here.");
        var path = Fixture("modern");
        var error = Assert.Throws(kind, () => IsolatedFile.Open(path, null, null, new ReaderCommand("/bin/sh", ["-c", script])));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        if (words.Length > 0) Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatCannotBeStartedSaysSo()
    {
        var error = Assert.Throws<MachineException>(() => IsolatedFile.Open(Fixture("modern"), null, null, new ReaderCommand(folder["nowhere"], [])));
        Assert.Contains("could not be started", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void ItEndsWithTheProgramThatAsks()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Only Linux tells.");
        var reader = ProgramProcess.Reader;
        using var process = Process.Start(new ProcessStartInfo(reader.Program, [.. reader.Arguments, (2L << 30).ToString(System.Globalization.CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        process.StandardInput.Close(); // as the system does for a program that was killed
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.Equal(98, process.ExitCode);
    }

    [SkippableFact]
    public void MemoryIsBounded()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Memory is bounded on Linux alone.");
        // A million cells with long names: harmless in a large file, more than this reader may use.
        using (var file = Hdf5File.Create(folder["wide.h5ad"]))
        {
            foreach (var (name, rows) in new[] { ("obs", 1_000_000), ("var", 2) })
            {
                using var table = file.Root.CreateGroup(name);
                table.WriteAttribute("_index", "_index");
                table.WriteAttribute("column-order", []);
                table.Write("_index", [.. Enumerable.Range(0, rows).Select(row => "a cell with a name that is rather longer than names of cells should be, number " + row)]).Dispose();
            }
            using var matrix = file.Root.CreateGroup("X");
            matrix.WriteAttribute("encoding-type", "csr_matrix");
            matrix.WriteAttribute("shape", new long[] { 1_000_000, 2 });
        }
        var error = Assert.Throws<UserException>(() => IsolatedFile.Open(folder["wide.h5ad"], null, null, ProgramProcess.Reader with { MemoryBytes = 160 << 20 }));
        Assert.Contains("opening it", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    // Each crashes libhdf5 1.10.8, and with it whatever process it runs in. Other versions may refuse or even read such a file.
    [InlineData(13918, 255, 16361, 184)]
    [InlineData(13566, 62, 14023, 140)]
    [InlineData(35139, 147, 13936, 72)]
    [InlineData(14167, 167, 13913, 35)]
    [InlineData(35994, 53, 1380, 116)]
    public void DamageThatCrashesTheLibraryIsRefused(int first, int firstBits, int second, int secondBits)
    {
        var bytes = File.ReadAllBytes(Fixture("modern"));
        bytes[first] ^= (byte)firstBits;
        bytes[second] ^= (byte)secondBits;
        File.WriteAllBytes(folder["damaged.h5ad"], bytes);
        var (code, error) = ProgramProcess.Run("inspect", folder["damaged.h5ad"]);
        Assert.True(code is ExitCodes.User or ExitCodes.Done, $"exit code {code}: {error}");
        if (code == ExitCodes.User) Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void LoopsAreToldFromWork()
    {
        const long file = 1 << 20;
        var progress = new ReadingProgress();
        bool At(long calls, double seconds, long bytes) => progress.GoesOn(calls, TimeSpan.FromSeconds(seconds), bytes, file);
        Assert.True(At(1, 100, 0));
        Assert.True(At(1, 107, 0));
        Assert.True(At(2, 109, 0)); // another call
        Assert.True(At(2, 116, 0));
        Assert.False(At(2, 117.5, 0));
        progress.Forget();
        Assert.True(At(2, 130, 0));
        for (var pass = 1; pass <= 60; pass++) Assert.True(At(2, 130 + 7 * pass, pass * file), $"pass {pass}"); // one call that reads on and on
        Assert.True(At(2, 553, 70 * file));
        Assert.False(At(2, 559, 80 * file)); // the same bytes again and again
    }

    private static IReadOnlyList<string?> Told(Func<IReadOnlyList<string?>> read)
    {
        try
        {
            return read();
        }
        catch (UserException refused)
        {
            return [refused.Message];
        }
    }

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "fixtures", "h5ad", name + ".h5ad");
}
