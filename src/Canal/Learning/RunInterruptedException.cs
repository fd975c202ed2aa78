namespace Canal.Learning;

/// <summary>A run was asked to stop (Ctrl-C): the step was finished and the state written. The program ends with exit code 130.</summary>
public sealed class RunInterruptedException : OperationCanceledException
{
    /// <summary>Names the folder from which the same command goes on.</summary>
    public RunInterruptedException(string partial)
        : base($"Interrupted. The state is in {partial}; the same command goes on from there (--restart begins again).") => Partial = partial;

    /// <summary>The folder that holds the state: <c>OUT.partial</c>.</summary>
    public string Partial { get; }
}
