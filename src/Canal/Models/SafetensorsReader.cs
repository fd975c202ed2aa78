using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Canal.Models;

/// <summary>
/// A safetensors file open for reading: 8 bytes header length, a JSON header, raw little-endian row-major data. The header is checked in
/// full before anything is allocated for the data; tensors are read one by one.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    /// <summary>Metadata key of the checksum: SHA-256 of the header, with the checksum's own digits as zeros, and of the data.</summary>
    public const string ChecksumKey = "canal.checksum";

    private const int ChunkBytes = 1 << 20;
    private readonly FileStream file;
    private readonly byte[] prefix;
    private readonly SafetensorsHeader header;

    private SafetensorsReader(string path, FileStream file, byte[] prefix, SafetensorsHeader header) =>
        (Path, this.file, this.prefix, this.header) = (path, file, prefix, header);

    /// <summary>Path as the caller gave it.</summary>
    public string Path { get; }

    /// <summary>Tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => header.Entries;

    /// <summary>The file's metadata strings.</summary>
    public IReadOnlyDictionary<string, string> Metadata => header.Metadata;

    /// <summary>Opens a file, checks its header and, where it carries one, its checksum.</summary>
    /// <exception cref="UserException">The file is missing, damaged or not of this format.</exception>
    public static SafetensorsReader Open(string path)
    {
        UserPath.Checked(path, "the model");
        FileStream? file = null;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            var prefix = ReadPrefix(file);
            var reader = new SafetensorsReader(path, file, prefix, SafetensorsHeader.Parse(prefix.AsSpan(8), file.Length - prefix.Length));
            reader.VerifyChecksum();
            return reader;
        }
        catch (Exception error)
        {
            file?.Dispose();
            throw error switch
            {
                FormatException => new UserException($"{path}: not a usable .safetensors file: {error.Message}; fetch or write it again.", error),
                FileNotFoundException or DirectoryNotFoundException => new UserException($"{path}: there is no such file.", error),
                UnauthorizedAccessException => new UserException($"{path}: this cannot be read; is it a file, and one you may read?", error),
                IOException => new UserException($"{path}: reading failed: {error.Message}", error),
                _ => error,
            };
        }
    }

    /// <summary>A tensor of any float type in float32; F64 is rounded once.</summary>
    /// <exception cref="UserException">There is no such tensor, or it holds integers.</exception>
    public float[] ReadSingles(string name)
    {
        var entry = Find(name, floats: true);
        if (entry.Type == SafetensorsType.F64) return Array.ConvertAll(ReadRaw<double>(entry), value => (float)value);
        return entry.Type switch
        {
            SafetensorsType.F16 => Array.ConvertAll(ReadRaw<Half>(entry), value => (float)value),
            SafetensorsType.BF16 => Array.ConvertAll(ReadRaw<ushort>(entry), value => BitConverter.UInt32BitsToSingle((uint)value << 16)),
            _ => ReadRaw<float>(entry),
        };
    }

    /// <summary>A tensor of any float type in float64.</summary>
    /// <exception cref="UserException">There is no such tensor, or it holds integers.</exception>
    public double[] ReadDoubles(string name)
    {
        var entry = Find(name, floats: true);
        return entry.Type == SafetensorsType.F64 ? ReadRaw<double>(entry) : Array.ConvertAll(ReadSingles(name), value => (double)value);
    }

    /// <summary>A tensor of any integer type in int64.</summary>
    /// <exception cref="UserException">There is no such tensor, or it holds floats.</exception>
    public long[] ReadIntegers(string name)
    {
        var entry = Find(name, floats: false);
        return entry.Type switch
        {
            SafetensorsType.I64 => ReadRaw<long>(entry),
            SafetensorsType.I32 => Array.ConvertAll(ReadRaw<int>(entry), value => (long)value),
            SafetensorsType.U32 => Array.ConvertAll(ReadRaw<uint>(entry), value => (long)value),
            SafetensorsType.I16 => Array.ConvertAll(ReadRaw<short>(entry), value => (long)value),
            SafetensorsType.U16 => Array.ConvertAll(ReadRaw<ushort>(entry), value => (long)value),
            SafetensorsType.I8 => Array.ConvertAll(ReadRaw<sbyte>(entry), value => (long)value),
            _ => Array.ConvertAll(ReadRaw<byte>(entry), value => (long)value),
        };
    }

    /// <summary>A tensor of any integer type in int32.</summary>
    /// <exception cref="UserException">There is no such tensor, it holds floats, or a value does not fit.</exception>
    public int[] ReadInt32(string name)
    {
        var wide = ReadIntegers(name);
        foreach (var value in wide)
        {
            if (value != (int)Math.Clamp(value, int.MinValue, int.MaxValue)) throw new UserException($"{Path}: the tensor {name} holds {value}, too large to be true.");
        }
        return Array.ConvertAll(wide, value => (int)value);
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static byte[] ReadPrefix(FileStream file)
    {
        Span<byte> length = stackalloc byte[8];
        if (file.Length < 10) throw new FormatException($"it holds only {file.Length} bytes");
        file.ReadExactly(length);
        var size = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (size > SafetensorsHeader.LongestBytes) throw new FormatException($"its header would be {size} bytes long");
        if (size > (ulong)(file.Length - 8)) throw new FormatException("its header is longer than the file");
        var prefix = new byte[8 + (int)size];
        length.CopyTo(prefix);
        file.ReadExactly(prefix, 8, (int)size);
        return prefix;
    }

    private void VerifyChecksum()
    {
        if (!Metadata.TryGetValue(ChecksumKey, out var checksum)) return;
        var digits = Encoding.UTF8.GetBytes(checksum);
        var place = prefix.AsSpan().IndexOf(digits);
        if (digits.Length != 2 * SHA256.HashSizeInBytes || place < 0) throw new FormatException("its checksum is not one");
        var cleared = prefix.ToArray();
        cleared.AsSpan(place, digits.Length).Fill((byte)'0');
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(cleared);
        var buffer = new byte[ChunkBytes];
        for (int read; (read = file.Read(buffer)) > 0;) hash.AppendData(buffer, 0, read);
        if (!Convert.ToHexStringLower(hash.GetHashAndReset()).Equals(checksum, StringComparison.Ordinal))
        {
            throw new FormatException("its contents do not match its checksum (it was damaged, or changed by another program)");
        }
    }

    private SafetensorsEntry Find(string name, bool floats)
    {
        if (!Entries.TryGetValue(name, out var entry)) throw new UserException($"{Path}: the tensor {name} is missing; is this a model of another kind?");
        if (entry.Type.IsFloat() != floats) throw new UserException($"{Path}: the tensor {name} is of type {entry.Type}, not {(floats ? "a float" : "an integer")} type.");
        return entry;
    }

    private T[] ReadRaw<T>(SafetensorsEntry entry) where T : unmanaged
    {
        if (!BitConverter.IsLittleEndian) throw new MachineException("Models can be read on little-endian machines only.");
        if (entry.Count > Array.MaxLength) throw new UserException($"{Path}: the tensor {entry.Name} has {entry.Count} elements, more than Canal can hold.");
        var values = new T[entry.Count];
        try
        {
            file.Position = prefix.Length + entry.Begin;
            for (var start = 0; start < values.Length; start += ChunkBytes)
            {
                file.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan(start, Math.Min(ChunkBytes, values.Length - start))));
            }
        }
        catch (IOException error)
        {
            throw new UserException($"{Path}: reading the tensor {entry.Name} failed: {error.Message}", error);
        }
        return values;
    }
}
