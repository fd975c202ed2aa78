namespace Canal.Interop.Nvrtc;

/// <summary>NVRTC refused a program or an option, or failed.</summary>
public sealed class NvrtcException : Exception
{
    /// <summary>What failed, in one line first; then the options and the compiler's full log.</summary>
    public NvrtcException(string message, IReadOnlyList<string> options, string log) : base(Text(message, options, log))
    {
        Options = options;
        Log = log;
    }

    /// <summary>The options the program was compiled with.</summary>
    public IReadOnlyList<string> Options { get; }

    /// <summary>All the compiler said, with <c>file(line)</c>; empty where it said nothing.</summary>
    public string Log { get; }

    private static string Text(string message, IReadOnlyList<string> options, string log)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(log);
        if (options.Count > 0) message += $"{Environment.NewLine}options: {string.Join(' ', options)}";
        return log.Length == 0 ? message : message + Environment.NewLine + log.TrimEnd();
    }
}

/// <summary>There is no NVRTC on this machine, or none that can be used.</summary>
public sealed class NvrtcMissingException : Exception
{
    /// <summary>What was looked for, what is wrong and the cure, in one line.</summary>
    public NvrtcMissingException(string message) : base(message) { }
}
