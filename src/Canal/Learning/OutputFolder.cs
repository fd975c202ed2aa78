namespace Canal.Learning;

/// <summary>The folder that a run of several outputs writes to.</summary>
internal static class OutputFolder
{
    /// <summary>Creates the folder where it is missing.</summary>
    /// <exception cref="UserException">A file stands there or above, or writing is not permitted.</exception>
    public static void Create(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: no folder can be made here for the results ({error.Message.TrimEnd('.')}); choose another output.", error);
        }
    }
}
