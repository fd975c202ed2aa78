using Canal.Testing;

namespace Canal.Tests;

public sealed class ScratchFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableFact]
    public void ItHasNoNameAndKeepsWhatIsWritten()
    {
        Skip.If(OperatingSystem.IsWindows(), "An open file keeps its name there.");
        using var file = ScratchFile.Open(folder["made/now"], "tokens", bytes: 100);
        Assert.Empty(Directory.GetFileSystemEntries(folder["made/now"]));
        file.Write([1, 2, 3]);
        file.Position = 1;
        Assert.Equal(2, file.ReadByte());
    }

    [Fact]
    public void WhatAKilledProcessLeftWithItsNameGoesWithTheNextOfItsPurpose()
    {
        using var ended = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("dotnet", "--version") { RedirectStandardOutput = true })!;
        ended.WaitForExit();
        string Left(string purpose, int process)
        {
            var path = folder[TemporaryNames.NameOf("canal-" + purpose, TemporaryNames.Owner, process, "0a1b2c3d", "0123456789abcdef")];
            File.WriteAllText(path, "half");
            return path;
        }

        Left("tokens", ended.Id);
        string[] kept = [Left("buckets", ended.Id), Left("tokens", process: 1)]; // of another purpose; of a process that lives
        ScratchFile.Open(folder.Root, "tokens").Dispose();

        Assert.Equal(kept.Order(StringComparer.Ordinal), Directory.GetFiles(folder.Root).Order(StringComparer.Ordinal));
    }
}
