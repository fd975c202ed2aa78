using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Canal.Models;

/// <summary>One tensor to be written.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, row-major; empty for a scalar.</param>
/// <param name="Bytes">The elements, little-endian.</param>
public sealed record SafetensorsTensor(string Name, SafetensorsType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>A float32 tensor.</summary>
    public static SafetensorsTensor Of(string name, IReadOnlyList<long> shape, float[] values) => Make(name, SafetensorsType.F32, shape, values);

    /// <summary>A float64 tensor.</summary>
    public static SafetensorsTensor Of(string name, IReadOnlyList<long> shape, double[] values) => Make(name, SafetensorsType.F64, shape, values);

    /// <summary>An int32 tensor.</summary>
    public static SafetensorsTensor Of(string name, IReadOnlyList<long> shape, int[] values) => Make(name, SafetensorsType.I32, shape, values);

    /// <summary>An int64 tensor.</summary>
    public static SafetensorsTensor Of(string name, IReadOnlyList<long> shape, long[] values) => Make(name, SafetensorsType.I64, shape, values);

    /// <summary>A tensor of unsigned bytes.</summary>
    public static SafetensorsTensor Of(string name, IReadOnlyList<long> shape, byte[] values) => Make(name, SafetensorsType.U8, shape, values);

    private static SafetensorsTensor Make<T>(string name, SafetensorsType type, IReadOnlyList<long> shape, T[] values) where T : unmanaged
    {
        var count = shape.Aggregate(1L, (product, size) => product * size);
        if (count != values.Length) throw new ArgumentException($"{name}: a shape of {count} elements and {values.Length} values.", nameof(values));
        return new SafetensorsTensor(name, type, shape, new BytesOf<T>(values).Memory);
    }

    // The values as the bytes they are: a copy of a large model's would double its memory while it is written.
    private sealed class BytesOf<T>(T[] values) : MemoryManager<byte> where T : unmanaged
    {
        public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(values.AsSpan());

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin() { }

        protected override void Dispose(bool disposing) { }
    }
}

/// <summary>Writes safetensors files: whole or not at all, with a checksum, elements on multiples of their size.</summary>
public static class SafetensorsWriter
{
    private static readonly string NoChecksum = new('0', 2 * SHA256.HashSizeInBytes);

    // Gene and cell names stay readable; nothing here ends in HTML.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Replaces <paramref name="path"/> by a file of these tensors and metadata.</summary>
    /// <remarks>
    /// Tensors are laid out widest type first, then in the given order, behind a header padded to 8 bytes: every tensor starts on a multiple
    /// of its element's size. The same input gives the same bytes.
    /// </remarks>
    /// <exception cref="UserException">The folder does not exist or may not be written to.</exception>
    /// <exception cref="MachineException">The disk is full or failed.</exception>
    public static void Write(string path, IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        if (!BitConverter.IsLittleEndian) throw new MachineException("Models can be written on little-endian machines only.");
        var ordered = tensors.OrderByDescending(tensor => tensor.Type.Bytes()).ToArray();
        var prefix = Prefix(ordered, metadata);
        using (var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256))
        {
            hash.AppendData(prefix);
            foreach (var tensor in ordered) hash.AppendData(tensor.Bytes.Span);
            var digits = Convert.ToHexStringLower(hash.GetHashAndReset());
            Encoding.ASCII.GetBytes(digits).CopyTo(prefix.AsSpan(prefix.AsSpan().IndexOf(Encoding.ASCII.GetBytes(NoChecksum))));
        }
        AtomicFile.Write(path, stream =>
        {
            stream.Write(prefix);
            foreach (var tensor in ordered) stream.Write(tensor.Bytes.Span);
        });
    }

    private static byte[] Prefix(SafetensorsTensor[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[8]);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString(SafetensorsReader.ChecksumKey, NoChecksum);
            foreach (var (key, value) in metadata.Where(pair => pair.Key != SafetensorsReader.ChecksumKey)) json.WriteString(key, value);
            json.WriteEndObject();
            var offset = 0L;
            foreach (var tensor in tensors) offset = WriteEntry(json, tensor, offset);
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        if (buffer.Length - 8 > SafetensorsHeader.LongestBytes) throw new UserException("The model's names take more room than a model file's header may; use a smaller vocabulary or bank.");
        var prefix = buffer.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(prefix, prefix.Length - 8);
        return prefix;
    }

    private static long WriteEntry(Utf8JsonWriter json, SafetensorsTensor tensor, long offset)
    {
        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype", tensor.Type.ToString());
        json.WriteStartArray("shape");
        foreach (var size in tensor.Shape) json.WriteNumberValue(size);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(offset);
        json.WriteNumberValue(offset + tensor.Bytes.Length);
        json.WriteEndArray();
        json.WriteEndObject();
        return offset + tensor.Bytes.Length;
    }
}
