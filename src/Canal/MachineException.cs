namespace Canal;

/// <summary>The machine is at fault (no device, out of memory, disk full, a library missing): one line with the cure; exit code 3.</summary>
public sealed class MachineException : Exception
{
    /// <summary>What is missing and what to do, in one line.</summary>
    public MachineException(string message) : base(message) { }

    /// <summary>What is missing and what to do, in one line; with the cause for <c>--debug</c>.</summary>
    public MachineException(string message, Exception inner) : base(message, inner) { }
}
