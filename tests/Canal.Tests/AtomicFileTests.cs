namespace Canal.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("canal-atomic-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string InFolder(string name) => Path.Combine(folder, name);

    [Fact]
    public void Commit_replaces_the_target_and_leaves_nothing_else()
    {
        File.WriteAllText(InFolder("a.txt"), "old");
        AtomicFile.Write(InFolder("a.txt"), stream => stream.Write("new"u8));
        Assert.Equal("new", File.ReadAllText(InFolder("a.txt")));
        Assert.Equal([InFolder("a.txt")], Directory.GetFiles(folder));
    }

    [Fact]
    public void A_failure_half_way_leaves_the_old_file_whole_and_no_temporary()
    {
        File.WriteAllText(InFolder("a.txt"), "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(InFolder("a.txt"), stream =>
        {
            stream.Write(new byte[100_000]);
            stream.Flush();
            throw new InvalidOperationException("interrupted");
        }));
        Assert.Equal("old", File.ReadAllText(InFolder("a.txt")));
        Assert.Equal([InFolder("a.txt")], Directory.GetFiles(folder));
    }

    [Fact]
    public void The_target_is_untouched_until_commit()
    {
        File.WriteAllText(InFolder("a.txt"), "old");
        using var output = new AtomicFile(InFolder("a.txt"));
        File.WriteAllText(output.TemporaryPath, "new");
        Assert.Equal("old", File.ReadAllText(InFolder("a.txt")));
        Assert.Equal(folder, Path.GetDirectoryName(output.TemporaryPath));
        output.Commit();
        Assert.Equal("new", File.ReadAllText(InFolder("a.txt")));
    }

    [Fact]
    public void A_symbolic_link_is_written_through()
    {
        File.WriteAllText(InFolder("real.txt"), "old");
        File.CreateSymbolicLink(InFolder("link.txt"), InFolder("real.txt"));
        AtomicFile.Write(InFolder("link.txt"), stream => stream.Write("new"u8));
        Assert.Equal("new", File.ReadAllText(InFolder("real.txt")));
        Assert.Equal(InFolder("real.txt"), new FileInfo(InFolder("link.txt")).LinkTarget);
    }

    [Fact]
    public void Impossible_targets_are_the_users_fault()
    {
        Assert.Contains("does not exist", Assert.Throws<UserException>(() => new AtomicFile(InFolder("no/a.txt"))).Message, StringComparison.Ordinal);
        Assert.Contains("folder", Assert.Throws<UserException>(() => new AtomicFile(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_is_the_machines_fault()
    {
        var error = AtomicFile.Translate(new IOException("No space left on device", 28), "out.h5ad");
        Assert.Contains("disk is full", Assert.IsType<MachineException>(error).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_killed_process_left_beside_the_target_goes_and_nothing_else()
    {
        using var ended = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("dotnet", "--version") { RedirectStandardOutput = true })!;
        ended.WaitForExit();
        string Left(string target, string owner, int process) => InFolder(TemporaryNames.NameOf(target, owner, process, "0a1b2c3d", "0123456789abcdef"));
        string[] abandoned = [Left("a.txt", TemporaryNames.Owner, ended.Id), Left("a.txt", TemporaryNames.Owner, Environment.ProcessId)];
        using var living = new AtomicFile(InFolder("a.txt"));
        string[] kept =
        [
            Left("a.txt", "00000000", ended.Id), // of another machine
            Left("b.txt", TemporaryNames.Owner, ended.Id), // of another target
            Left("a.txt", TemporaryNames.Owner, process: 1), // init lives
            InFolder(".a.txt.tmp"), InFolder(".a.txt.notes.tmp"), living.TemporaryPath,
        ];
        foreach (var file in abandoned.Concat(kept)) File.WriteAllText(file, "half");

        AtomicFile.Write(InFolder("a.txt"), stream => stream.Write("new"u8));

        Assert.Equal(kept.Append(InFolder("a.txt")).Order(StringComparer.Ordinal), Directory.GetFiles(folder).Order(StringComparer.Ordinal));
    }
}
