namespace Canal;

/// <summary>
/// The user's input or command line is at fault: one line that says what, where and what to do. The program prints it
/// without a stack trace and ends with exit code 2, having written nothing.
/// </summary>
public sealed class UserException : Exception
{
    /// <summary>What is wrong, where, and what to do, in one line.</summary>
    public UserException(string message) : base(message) { }

    /// <summary>What is wrong, where, and what to do, in one line; with the cause for <c>--debug</c>.</summary>
    public UserException(string message, Exception inner) : base(message, inner) { }
}
