namespace Canal.Learning;

/// <summary>Passes progress on, and appends what is said to a file.</summary>
internal sealed class StreamLog : IProgress<LearningProgress>, IDisposable
{
    private readonly IProgress<LearningProgress>? next;
    private readonly StreamWriter file;

    public StreamLog(string path, IProgress<LearningProgress>? next)
    {
        this.next = next;
        try
        {
            file = new StreamWriter(path, append: true) { AutoFlush = true };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Translate(e, path);
        }
    }

    public void Report(LearningProgress value)
    {
        if (value.Message is { } message) file.WriteLine(message);
        next?.Report(value);
    }

    public void Dispose() => file.Dispose();
}
