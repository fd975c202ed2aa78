using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Canal.Models;

namespace Canal.Fuzz;

/// <summary>Damage to a .safetensors file: mostly to its header, with the right length and checksum again, so that what lies behind these checks is reached.</summary>
internal static class SafetensorsMutation
{
    /// <summary>A damaged copy.</summary>
    public static byte[] Of(byte[] file, Random random)
    {
        var header = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        return random.Next(8) switch
        {
            0 => ByteMutation.OfText(file, random),
            1 => ByteMutation.OfBinary(file, random),
            2 => Stamped(file.AsSpan(8, header - 8), Resized(ByteMutation.OfBinary(file[header..], random), file.Length - header)),
            _ => Stamped(ByteMutation.OfText(file[8..header], random), file.AsSpan(header)),
        };
    }

    /// <summary>A file of a header and data, its length and, where it has one, its checksum right.</summary>
    public static byte[] Stamped(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        byte[] bytes = [.. new byte[8], .. header, .. data];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)header.Length);
        var match = Regex.Match(Encoding.Latin1.GetString(header), Regex.Escape(SafetensorsReader.ChecksumKey) + "\":\"([^\"]{64})\"");
        if (!match.Success) return bytes;
        var place = bytes.AsSpan(8 + match.Groups[1].Index, 64);
        place.Fill((byte)'0');
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(bytes))).CopyTo(place);
        return bytes;
    }

    private static byte[] Resized(byte[] bytes, int length)
    {
        Array.Resize(ref bytes, length);
        return bytes;
    }
}
