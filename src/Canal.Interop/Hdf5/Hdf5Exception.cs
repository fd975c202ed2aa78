namespace Canal.Interop.Hdf5;

/// <summary>A call of libhdf5 failed.</summary>
public sealed class Hdf5Exception : Exception
{
    /// <summary>What was attempted and why it failed, in one line; with all the library said.</summary>
    public Hdf5Exception(string message, string detail) : base(message) => Detail = detail;

    /// <summary>All the library's reasons, outermost first.</summary>
    public string Detail { get; }
}

/// <summary>The file holds something that is not followed or not decoded, for safety: links out of the file, foreign storage, plug-in filters, absurd sizes. Or something that is not what was asked for.</summary>
public sealed class Hdf5RefusedException : Exception
{
    /// <summary>Where, what was refused, and what to do.</summary>
    public Hdf5RefusedException(string message) : base(message) { }
}

/// <summary>libhdf5 is not on this machine, or is too old.</summary>
public sealed class Hdf5MissingException : Exception
{
    /// <summary>What was looked for and what is wrong.</summary>
    public Hdf5MissingException(string message) : base(message) { }
}
