using System.Runtime.InteropServices;

namespace Canal.Interop.Posix;

/// <summary>What a process asks of the system for itself: limits, a wider pipe, its end together with the process that started it. Nothing where the system is not Linux.</summary>
public static unsafe partial class OwnProcess
{
    // bits/resource.h, bits/fcntl-linux.h and poll.h of Linux
    private const int LimitData = 2, LimitCore = 4, SetPipeSize = 1031, StandardInput = 0, StandardOutput = 1;
    private const int Interrupted = 4; // EINTR
    private const short Hangup = 0x10, Error = 0x08;

    /// <summary>No memory dump is left where this process crashes.</summary>
    public static void DumpNothing() => Limit(LimitCore, 0);

    /// <summary>Bounds the memory that this process can write to, of whatever allocator: an allocation beyond it fails.</summary>
    public static void LimitMemory(long bytes) => Limit(LimitData, (ulong)bytes);

    /// <summary>Lets a pipe at standard output hold this many bytes, where it may.</summary>
    public static void WidenStandardOutput(int bytes)
    {
        if (OperatingSystem.IsLinux()) _ = fcntl(StandardOutput, SetPipeSize, bytes);
    }

    /// <summary>Ends this process at once when the other end of the pipe at standard input is closed, as it is when the process that held it dies.</summary>
    /// <param name="exitCode">What this process ends with.</param>
    public static void EndWithStandardInput(int exitCode)
    {
        if (OperatingSystem.IsWindows()) return;
        new Thread(() =>
        {
            // No event is asked for, so unread input does not wake the thread: only the end does, which is always told.
            var input = new PollEntry { Descriptor = StandardInput };
            int told;
            do told = poll(&input, 1, -1);
            while (told < 0 && Marshal.GetLastSystemError() == Interrupted);
            if ((input.Returned & (Hangup | Error)) != 0) EndNow(exitCode);
        })
        { IsBackground = true, Name = "end with input" }.Start();
    }

    /// <summary>Ends this process without asking anything of it: it may be in a state in which nothing works any more.</summary>
    public static void EndNow(int exitCode)
    {
        if (OperatingSystem.IsWindows()) Environment.Exit(exitCode);
        _exit(exitCode);
    }

    private static void Limit(int resource, ulong most)
    {
        if (!OperatingSystem.IsLinux()) return;
        var limit = new ResourceLimit { Soft = most, Hard = most };
        _ = setrlimit(resource, &limit);
    }

    [LibraryImport("libc")] private static partial int setrlimit(int resource, ResourceLimit* limit);
    [LibraryImport("libc")] private static partial int fcntl(int descriptor, int command, int value);
    [LibraryImport("libc")] private static partial int poll(PollEntry* entries, nuint count, int timeoutMilliseconds);
    [LibraryImport("libc")] private static partial void _exit(int status);

    private struct ResourceLimit
    {
        public ulong Soft, Hard;
    }

    private struct PollEntry
    {
        public int Descriptor;
        public short Asked, Returned;
    }
}
