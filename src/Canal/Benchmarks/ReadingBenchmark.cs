using System.Diagnostics;
using Canal.Data;
using Canal.Data.H5ad.Isolation;

namespace Canal.Benchmarks;

/// <summary>Reading of one size of file.</summary>
/// <param name="Cells">Cells read.</param>
/// <param name="Genes">Genes of the file.</param>
/// <param name="Entries">Stored entries of those cells.</param>
/// <param name="FileBytes">Size of the file.</param>
/// <param name="Seconds">From opening the file to the last token, all passes over it.</param>
/// <param name="ProcessBytes">Most resident memory meanwhile, the process that reads the file included; null where the system does not tell.</param>
public sealed record ReadingResult(int Cells, int Genes, long Entries, long FileBytes, double Seconds, ulong? ProcessBytes)
{
    /// <summary>Cells a second.</summary>
    public double CellsPerSecond => Cells / Seconds;
}

/// <summary>What is read.</summary>
public sealed record ReadingSettings
{
    /// <summary>Sizes of the files, rising.</summary>
    public IReadOnlyList<int> Cells { get; init; } = [10_000, 30_000, 100_000];

    /// <summary>Genes of the files.</summary>
    public int Genes { get; init; } = 20_000;

    /// <summary>Transcripts a cell: 2,700 fall on about 1,500 genes.</summary>
    public int Transcripts { get; init; } = 2700;

    /// <summary>Genes of the panel whose tokens are made.</summary>
    public int PanelGenes { get; init; } = 1000;

    /// <summary>Memory that tokens may take before they go to a scratch file.</summary>
    public long TokenMemoryBytes { get; init; } = 16L << 20;

    /// <summary>Folder for the files, removed afterwards.</summary>
    public required string ScratchFolder { get; init; }
}

/// <summary>
/// Reading of compressed CSR through tokenisation, as annotate does it: open, find the counts, judge the cells (a pass over the file), align the
/// genes, bin (another pass). The files are made first and lie in the system's file cache when they are read.
/// </summary>
public static class ReadingBenchmark
{
    /// <summary>Makes and reads a file of each size.</summary>
    /// <param name="settings">What.</param>
    /// <param name="say">Told what is done; may be null.</param>
    /// <param name="stop">Stops between two blocks of cells.</param>
    public static IReadOnlyList<ReadingResult> Run(ReadingSettings settings, Action<string>? say, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var results = new List<ReadingResult>();
        foreach (var cells in settings.Cells)
        {
            var path = Path.Combine(settings.ScratchFolder, $"canal-reading-{Guid.NewGuid():N}.h5ad");
            try
            {
                say?.Invoke($"making {cells} cells of {settings.Genes} genes");
                var entries = DrawnStudy.Write(path, new DrawnStudySettings(cells, settings.Genes, settings.Transcripts), stop);
                say?.Invoke($"reading {cells} cells of {settings.Genes} genes");
                results.Add(Read(path, entries, settings, stop));
            }
            finally
            {
                File.Delete(path);
            }
        }
        return results;
    }

    private static ReadingResult Read(string path, long entries, ReadingSettings settings, CancellationToken stop)
    {
        using (var warm = File.OpenRead(path)) warm.CopyTo(Stream.Null);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        ProcessMemory.ResetPeak();
        ReaderMemory.Reset();
        var clock = Stopwatch.StartNew();
        using var reader = DataSetReader.Open(path, new DataSetSettings
        {
            KeepLowQuality = true, Cancel = stop, ScratchFolder = settings.ScratchFolder, TokenMemoryBytes = settings.TokenMemoryBytes, Name = "bench",
        });
        var vocabulary = new GeneVocabulary(reader.File.GeneNames(reader.Source.Location));
        var panel = new GenePanel(vocabulary, [.. Enumerable.Range(0, Math.Min(settings.PanelGenes, vocabulary.Count)).Select(i => (int)((long)i * vocabulary.Count / settings.PanelGenes))]);
        using var cells = reader.Prepare(panel);
        var seconds = clock.Elapsed.TotalSeconds;
        reader.Dispose();
        ulong? memory = ProcessMemory.PeakBytes() is { } own ? Math.Max(own, ReaderMemory.PeakBytes) : null;
        return new ReadingResult(cells.Count, settings.Genes, entries, new FileInfo(path).Length, seconds, memory);
    }
}
