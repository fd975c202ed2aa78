namespace Canal;

/// <summary>The one check of paths that users name, before anything is opened: an unset shell variable gives an empty one, a stream file can hold a NUL.</summary>
public static class UserPath
{
    /// <summary>The path, if a file could be there.</summary>
    /// <param name="path">As the user gave it.</param>
    /// <param name="what">What it names, for the message: "the data set".</param>
    /// <exception cref="UserException">It is empty, or no file can have such a name.</exception>
    public static string Checked(string? path, string what)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new UserException($"The path of {what} is empty (an unset shell variable?); give the name of a file.");
        if (path.Contains('\0', StringComparison.Ordinal)) throw new UserException($"The path of {what} holds a NUL character, which no file name can; give the name of a file.");
        return path;
    }

    /// <summary>The path in full, if a file could be there.</summary>
    /// <inheritdoc cref="Checked"/>
    public static string Full(string? path, string what) => Path.GetFullPath(Checked(path, what));
}
