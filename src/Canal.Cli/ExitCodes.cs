using Canal.Cli.Terminal;
using Canal.Engine.Devices.Cuda;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;

namespace Canal.Cli;

/// <summary>What the program ends with, and what it says then.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Defect = 1;
    public const int User = 2;
    public const int Machine = 3;
    public const int Interrupted = 130;

    /// <summary>Prints one line for an exception and returns its exit code; a stack trace only for a defect under <c>--debug</c>.</summary>
    public static int Report(Exception exception, bool debug, CommandContext context)
    {
        var (code, line) = Classify(exception);
        context.Error.WriteLine("canal: " + SafeText.Message(line));
        if (code == Defect && !debug) context.Error.WriteLine("canal: this is a defect of Canal; run again with --debug for the stack trace and report it.");
        if (debug) context.Error.WriteLine(exception.ToString());
        return code;
    }

    private static (int Code, string Line) Classify(Exception exception) => exception switch
    {
        UserException => (User, exception.Message),
        MachineException => (Machine, exception.Message),
        OperationCanceledException => (Interrupted, Interruption(exception)),
        InsufficientMemoryException or OutOfMemoryException => (Machine, "out of memory: " + exception.Message),
        FileNotFoundException or DirectoryNotFoundException => (User, exception.Message),
        UnauthorizedAccessException => (User, exception.Message),
        // A card, its driver or its compiler that fails in the middle of a job: the first line says what and what to do, the rest (a compiler's log) is for --debug.
        CudaException => (Machine, FirstLine(exception)),
        NvrtcMissingException or NvrtcException or CudaKernelException => (Machine, FirstLine(exception) + "; canal doctor shows what was found, --device cpu computes without the card"),
        IOException io when IsDiskFull(io) => (Machine, "the disk is full: " + exception.Message),
        IOException => (Machine, exception.Message),
        AggregateException { InnerException: { } inner } => Classify(inner),
        _ => (Defect, exception.GetType().Name + ": " + exception.Message),
    };

    private static string FirstLine(Exception exception) => exception.Message.TrimStart().Split('\n', 2)[0].TrimEnd();

    private static string Interruption(Exception exception) =>
        exception.GetType() == typeof(OperationCanceledException) || exception.GetType() == typeof(TaskCanceledException)
            ? exception.Message is { Length: > 0 } message && !message.StartsWith("The operation was canceled", StringComparison.Ordinal)
                ? message : "interrupted; nothing was written"
            : exception.Message;

    private static bool IsDiskFull(IOException exception) => (exception.HResult & 0xFFFF) is 28 or 0x70 or 0x27;
}
