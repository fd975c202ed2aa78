namespace Canal.Engine.Devices.Cpu;

/// <summary>How work is cut into pieces: by shape alone, so that results never depend on threads.</summary>
internal static class Chunks
{
    /// <summary>Elements a piece of elementwise work: 64 KiB of float32, large against the cost of claiming a piece.</summary>
    public const int Elements = 16384;

    /// <summary>Pieces of <see cref="Elements"/> that cover <paramref name="count"/> elements.</summary>
    public static int Count(long count) => checked((int)((count + Elements - 1) / Elements));

    /// <summary>Pieces of <paramref name="size"/> that cover <paramref name="count"/>.</summary>
    public static int Count(int count, int size) => (int)(((long)count + size - 1) / size);

    /// <summary>Rows a piece of work over rows of the given width: about <see cref="Elements"/> elements, at least one row.</summary>
    public static int Rows(int columns) => Math.Max(1, Elements / Math.Max(1, columns));

    /// <summary>Elements of piece <paramref name="index"/>.</summary>
    public static int Length(int index, long count) => (int)Math.Min(Elements, count - ((long)index * Elements));
}
