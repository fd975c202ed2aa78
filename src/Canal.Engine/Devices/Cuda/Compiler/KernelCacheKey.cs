using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>Names one compilation: equal keys, equal machine code.</summary>
public sealed class KernelCacheKey
{
    // Changes with the layout of an entry, so that no program reads another's.
    private const string Format = "canal kernel 1";
    private const int NamedBytes = 16;

    private readonly byte[] hash;

    private KernelCacheKey(string title, byte[] hash)
    {
        this.hash = hash;
        FileName = $"{title}-{Convert.ToHexStringLower(hash.AsSpan(0, NamedBytes))}.kernel";
    }

    /// <summary>The file name of the entry: program, target and the first half of the hash.</summary>
    public string FileName { get; }

    /// <summary>SHA-256 over all terms, 32 bytes.</summary>
    public ReadOnlySpan<byte> Hash => hash;

    /// <summary>The key over terms in their order; each goes in with its length, so that no two lists of terms look the same.</summary>
    /// <param name="title">What people see of the file name.</param>
    /// <param name="terms">Everything that can change the result.</param>
    internal static KernelCacheKey Of(string title, IEnumerable<string> terms)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var term in terms.Prepend(Format))
        {
            var text = Encoding.UTF8.GetBytes(term);
            BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
            sha.AppendData(length);
            sha.AppendData(text);
        }
        return new KernelCacheKey(title, sha.GetHashAndReset());
    }
}
