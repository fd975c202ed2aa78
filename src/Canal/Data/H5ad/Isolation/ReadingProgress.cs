namespace Canal.Data.H5ad.Isolation;

/// <summary>Tells a reading that takes long from one that goes round in circles.</summary>
/// <remarks>
/// Processor time counts, not the clock: a slow disk or a busy machine is not a loop. Work comes of it when another call of the library
/// begins or, within a call, when more of the file is read (one call may have to decompress much), up to a number of times the file's size.
/// </remarks>
internal sealed class ReadingProgress
{
    private const double StuckSeconds = 8;
    private const int PassesInOneCall = 64;

    /// <summary>Looking after the bytes read takes a few hundred by itself.</summary>
    private const int LeastBytes = 1 << 16;

    private long calls = -1, bytesAtCall, bytes;
    private TimeSpan processor;

    /// <summary>Starts anew: what comes belongs to another question.</summary>
    public void Forget() => calls = -1;

    /// <summary>Whether work comes of the time spent.</summary>
    /// <param name="nowCalls">Calls of the library begun so far.</param>
    /// <param name="nowProcessor">Processor time of the process so far.</param>
    /// <param name="nowBytes">Bytes read by the process so far.</param>
    /// <param name="fileBytes">Size of the file.</param>
    public bool GoesOn(long nowCalls, TimeSpan nowProcessor, long nowBytes, long fileBytes)
    {
        var anotherCall = nowCalls != calls;
        if (anotherCall) bytesAtCall = nowBytes;
        if (anotherCall || (nowBytes > bytes + LeastBytes && (nowBytes - bytesAtCall) / PassesInOneCall < fileBytes)) (calls, processor, bytes) = (nowCalls, nowProcessor, nowBytes);
        return (nowProcessor - processor).TotalSeconds < StuckSeconds;
    }
}
