using System.Globalization;
using Canal.Interop.Hdf5;
using Canal.Interop.Posix;

namespace Canal.Data.H5ad.Isolation;

/// <summary>
/// Watches the reading thread of a reader. Every second it tells the program that work goes on; where the processor works and nothing
/// comes of it, it ends the process: damaged files can send libhdf5 round in circles.
/// </summary>
internal sealed class ReaderGuard
{
    /// <summary>What the process ends with when it goes round in circles.</summary>
    public const int StuckExitCode = 97;

    private static readonly TimeSpan period = TimeSpan.FromSeconds(1);

    private readonly Action tell;
    private readonly ReadingProgress progress = new();
    private long fileBytes = long.MaxValue;
    private int busy;

    public ReaderGuard(Action tell)
    {
        this.tell = tell;
        new Thread(Run) { IsBackground = true, Name = "reader's guard" }.Start();
    }

    /// <summary>Size of the file that is read.</summary>
    public long FileBytes
    {
        set => Volatile.Write(ref fileBytes, Math.Max(1, value));
    }

    /// <summary>Whether a question is being answered.</summary>
    public bool Busy
    {
        set => Volatile.Write(ref busy, value ? 1 : 0);
    }

    private void Run()
    {
        while (true)
        {
            Thread.Sleep(period);
            if (Volatile.Read(ref busy) == 0)
            {
                progress.Forget();
                continue;
            }
            if (!progress.GoesOn(Hdf5Library.Calls, Environment.CpuUsage.TotalTime, BytesRead(), Volatile.Read(ref fileBytes))) OwnProcess.EndNow(StuckExitCode);
            tell();
        }
    }

    private static long BytesRead()
    {
        try
        {
            const string name = "rchar: ";
            var line = File.ReadLines("/proc/self/io").First(text => text.StartsWith(name, StringComparison.Ordinal));
            return long.Parse(line.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidOperationException or FormatException)
        {
            return 0; // then calls alone tell
        }
    }
}
