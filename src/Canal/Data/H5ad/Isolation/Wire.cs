using System.Runtime.InteropServices;
using System.Text;

namespace Canal.Data.H5ad.Isolation;

/// <summary>What is asked of the process that reads a file.</summary>
internal enum ReaderRequest : byte
{
    Open,
    Obs,
    GeneNames,
    VarColumns,
    Var,
    LogBase,
    Notes,
    OpenMatrix,
    Cells,
    CheckReadable,
    Amend,
}

/// <summary>How an answer begins.</summary>
internal enum ReaderAnswer : byte
{
    /// <summary>No answer yet, but work goes on.</summary>
    Busy,

    /// <summary>No answer yet: rows of an embedding are wanted first.</summary>
    Rows,
    Done,
    User,
    Machine,
    Memory,
    Defect,
}

/// <summary>Texts, numbers and blocks of cells on a pipe. Both ends are the same program, so there is no version.</summary>
internal static class Wire
{
    /// <summary>Bytes buffered at either end.</summary>
    public const int BufferBytes = 1 << 18;

    public static BinaryWriter Writer(Stream pipe) => new(new BufferedStream(pipe, BufferBytes), Text);

    public static BinaryReader Reader(Stream pipe) => new(new BufferedStream(pipe, BufferBytes), Text);

    public static void WriteText(this BinaryWriter writer, string? text)
    {
        writer.Write(text is not null);
        if (text is not null) writer.Write(text);
    }

    public static string? ReadText(this BinaryReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;

    public static void WriteTexts(this BinaryWriter writer, IReadOnlyList<string?> texts)
    {
        writer.Write(texts.Count);
        for (var index = 0; index < texts.Count; index++) writer.WriteText(texts[index]);
    }

    /// <summary>Reads texts; how many there are is not believed before they have come.</summary>
    public static List<string?> ReadTexts(this BinaryReader reader)
    {
        var count = reader.ReadInt32();
        if (count < 0) throw new InvalidDataException("a negative number of texts");
        var texts = new List<string?>(Math.Min(count, 1 << 20));
        // Categories repeat: one string for those that follow each other.
        for (var index = 0; index < count; index++)
        {
            var text = reader.ReadText();
            texts.Add(index > 0 && text == texts[index - 1] ? texts[index - 1] : text);
        }
        return texts;
    }

    /// <summary>Reads texts none of which may be missing.</summary>
    public static List<string> ReadNames(this BinaryReader reader) => reader.ReadTexts().ConvertAll(text => text ?? throw new InvalidDataException("a missing text"));

    public static void WriteNumbers<T>(this BinaryWriter writer, ReadOnlySpan<T> numbers) where T : unmanaged => writer.Write(MemoryMarshal.AsBytes(numbers));

    public static void ReadNumbers<T>(this BinaryReader reader, Span<T> numbers) where T : unmanaged => reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(numbers));

    public static void WriteCells(this BinaryWriter writer, SparseRows rows)
    {
        writer.Write(rows.Cells);
        writer.Write(rows.Entries);
        writer.WriteNumbers(rows.Offsets);
        writer.WriteNumbers(rows.AllGenes);
        writer.WriteNumbers(rows.AllValues);
    }

    /// <summary>Reads a block and checks what every block fulfils: whoever sent it had a hostile file in hand.</summary>
    public static void ReadCells(this BinaryReader reader, SparseRows rows, int cells, int genes)
    {
        var (sent, entries) = (reader.ReadInt32(), reader.ReadInt32());
        if (sent != cells || entries < 0 || entries > (long)cells * genes) throw new InvalidDataException("a block of another size");
        rows.Take(cells, entries, out var offsets, out var columns, out var values);
        reader.ReadNumbers(offsets);
        reader.ReadNumbers(columns);
        reader.ReadNumbers(values);
        if (!rows.IsSound(genes)) throw new InvalidDataException("a block that is not in order");
    }

    private static readonly UTF8Encoding Text = new(encoderShouldEmitUTF8Identifier: false);
}
