using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace Canal.Fuzz;

/// <summary>Damage to bytes and to numbers written as text.</summary>
internal static partial class ByteMutation
{
    private static readonly string[] hostileNumbers =
        ["-1", "0", "1e400", "-0.0", "1e-400", "2147483647", "2147483648", "9223372036854775807", "18446744073709551616", "99999999999999999999999999999999", "null", "[]", "\"\\ud800\"", "\"\\u0000\"", "{}"];

    private static readonly ulong[] hostileIntegers =
        [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 1UL << 40, 1UL << 33];

    /// <summary>Structures of HDF5 that are rare in a file and dangerous to trust: heaps, trees, headers.</summary>
    private static readonly byte[][] signatures = [.. new[] { "GCOL", "OHDR", "HEAP", "TREE", "SNOD", "BTHD", "BTLF", "FRHP", "FHDB", "OCHK" }.Select(Encoding.ASCII.GetBytes)];

    /// <summary>A text in which a number, or a few bytes, are changed, or which is cut short.</summary>
    public static byte[] OfText(byte[] from, Random random)
    {
        if (random.Next(3) == 0)
        {
            // Latin-1 keeps every byte as it is.
            var numbers = Numbers().Matches(Encoding.Latin1.GetString(from, 0, Math.Min(from.Length, 1 << 20)));
            if (numbers.Count > 0)
            {
                var number = numbers[random.Next(numbers.Count)];
                var with = Encoding.Latin1.GetBytes(hostileNumbers[random.Next(hostileNumbers.Length)]);
                return [.. from.AsSpan(0, number.Index), .. with, .. from.AsSpan(number.Index + number.Length)];
            }
        }
        if (random.Next(4) == 0) return from[..random.Next(from.Length)];
        var bytes = (byte[])from.Clone();
        for (var flips = random.Next(1, 4); flips > 0; flips--) bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
        return bytes;
    }

    /// <summary>A binary file with one to four damages: mostly in its structures, sometimes anywhere, sometimes its length.</summary>
    public static byte[] OfBinary(byte[] from, Random random)
    {
        var bytes = (byte[])from.Clone();
        for (var damages = random.Next(1, 5); damages > 0; damages--)
        {
            var at = random.Next(4) == 0 ? random.Next(bytes.Length) : InStructure(bytes, random);
            switch (random.Next(16))
            {
                case 0:
                    bytes = bytes[..Math.Max(1, random.Next(bytes.Length))];
                    break;
                case 1:
                    bytes.AsSpan(at, Math.Min(random.Next(1, 4096), bytes.Length - at)).Clear();
                    break;
                case 2:
                    var length = Math.Min(random.Next(1, 512), bytes.Length - at);
                    bytes.AsSpan(random.Next(bytes.Length - length + 1), length).CopyTo(bytes.AsSpan(at));
                    break;
                case 3:
                    bytes = [.. bytes.AsSpan(0, at), .. bytes.AsSpan(Math.Min(bytes.Length, at + random.Next(1, 64)))];
                    break;
                case 4:
                    bytes = [.. bytes.AsSpan(0, at), .. new byte[random.Next(1, 64)], .. bytes.AsSpan(at)];
                    break;
                case < 10:
                    Put(bytes.AsSpan(at), hostileIntegers[random.Next(hostileIntegers.Length)], 1 << random.Next(4));
                    break;
                default:
                    bytes[at] ^= (byte)random.Next(1, 256);
                    break;
            }
            if (bytes.Length == 0) return [0];
        }
        return bytes;
    }

    private static int InStructure(byte[] bytes, Random random)
    {
        const int reach = 300;
        var signature = signatures[random.Next(signatures.Length)];
        var start = random.Next(bytes.Length);
        var found = bytes.AsSpan(start).IndexOf(signature);
        if (found < 0) (start, found) = (0, bytes.AsSpan().IndexOf(signature));
        return found < 0 ? random.Next(bytes.Length) : Math.Min(bytes.Length - 1, start + found + random.Next(reach));
    }

    private static void Put(Span<byte> at, ulong value, int width)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, value);
        number[..Math.Min(width, at.Length)].CopyTo(at);
    }

    [GeneratedRegex("(?<=[:,\\[]\\s*)-?[0-9.]+(?=[,\\]}])")]
    private static partial Regex Numbers();
}
