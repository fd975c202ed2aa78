namespace Canal.Learning;

/// <summary>
/// <c>OUT.partial</c>: the folder beside an output in which a run keeps what it needs to go on after a kill at any moment. One run at a
/// time holds it (an operating-system lock, which a killed process leaves behind for nobody).
/// </summary>
public sealed class RunFolder : IDisposable
{
    private readonly FileStream gate;
    private bool released;

    private RunFolder(string path, FileStream gate) => (Path, this.gate) = (path, gate);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Where the training state lies.</summary>
    public string StatePath => System.IO.Path.Combine(Path, "state.safetensors");

    /// <summary>Whether there is a state to go on from.</summary>
    public bool HasState => File.Exists(StatePath);

    /// <summary>The folder that belongs to an output.</summary>
    public static string PathFor(string output) => System.IO.Path.GetFullPath(output) + ".partial";

    /// <summary>Opens the folder of an output, creating it.</summary>
    /// <param name="output">The file that the run is to write.</param>
    /// <param name="restart">Forgets what an earlier run left there.</param>
    /// <exception cref="UserException">Another run holds the folder, or it cannot be created.</exception>
    public static RunFolder Open(string output, bool restart)
    {
        var path = PathFor(output);
        try
        {
            Directory.CreateDirectory(path);
            var gate = new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            var folder = new RunFolder(path, gate);
            folder.Clean(everything: restart);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be used ({e.Message.TrimEnd('.')}). Is another run writing {output}? Wait for it, or choose another output.", e);
        }
    }

    /// <summary>Removes the folder of an output that is finished, where a kill between the last write and the tidying left it.</summary>
    /// <exception cref="UserException">Another run holds the folder.</exception>
    public static void RemoveFinished(string output)
    {
        if (!Directory.Exists(PathFor(output))) return;
        using var folder = Open(output, restart: true);
        folder.Remove();
    }

    /// <summary>Removes the folder: the output is written.</summary>
    public void Remove()
    {
        if (released) return;
        released = true;
        try
        {
            Clean(everything: true);
            gate.Dispose();
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The output is whole; a leftover folder holds nothing that a later run would read.
        }
    }

    /// <summary>Lets the folder go; one without a state, which a later run would find nothing in, is removed.</summary>
    public void Dispose()
    {
        if (released) return;
        if (!HasState) Remove();
        released = true;
        gate.Dispose();
    }

    // What a kill left half-written or in scratch goes; the state stays unless everything is to go.
    private void Clean(bool everything)
    {
        foreach (var file in Directory.EnumerateFiles(Path))
        {
            var name = System.IO.Path.GetFileName(file);
            if (name == "lock" || (!everything && name == "state.safetensors")) continue;
            File.Delete(file);
        }
    }
}
