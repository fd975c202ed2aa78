namespace Canal.Cli.Commands;

/// <summary>Checks of an output's path before any work is done.</summary>
internal static class OutputFile
{
    /// <summary>Refuses an output that could not be written in the end, and names the folder that scratch files lie in.</summary>
    /// <param name="path">Path as the user gave it.</param>
    /// <param name="inputs">Files that are read and must not be overwritten.</param>
    /// <returns>The output's folder.</returns>
    public static string Check(string path, params IEnumerable<string> inputs)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new UserException("-o needs the name of a file to write");
        var full = UserPath.Full(path, "the output");
        if (Directory.Exists(full)) throw new UserException($"{path}: this is a folder; give the name of a file to write");
        var folder = Path.GetDirectoryName(full)!;
        if (!Directory.Exists(folder)) throw new UserException($"{path}: the folder {folder} does not exist; create it or choose another output");
        foreach (var input in inputs)
        {
            if (Followed(UserPath.Full(input, "an input")) == Followed(full)) throw new UserException($"{path}: this is an input; choose another output");
        }
        return folder;
    }

    /// <summary>As <see cref="Check"/>, for a model.</summary>
    public static string CheckModel(string path, params IEnumerable<string> inputs)
    {
        var folder = Check(path, inputs);
        return Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase) ? folder
            : throw new UserException($"{path}: a model's name must end in .safetensors");
    }

    private static string Followed(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            return path; // nothing there, or links in a circle: opening it says so
        }
    }
}
