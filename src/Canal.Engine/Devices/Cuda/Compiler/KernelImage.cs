using System.Text;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>A compiled program, as the driver loads it.</summary>
/// <param name="Target">What it was compiled to.</param>
/// <param name="Bytes">A CUBIN, or PTX as text that ends with a zero byte.</param>
/// <param name="Log">What the compiler said; <see cref="ResourceLog"/> reads it where resources were asked for.</param>
public sealed record KernelImage(KernelTarget Target, byte[] Bytes, string Log)
{
    /// <summary>The image as one run of bytes, for the disk.</summary>
    internal byte[] Pack()
    {
        using var packed = new MemoryStream();
        using (var writer = new BinaryWriter(packed, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Target.Architecture);
            writer.Write(Target.IsMachineCode);
            writer.Write(Log);
            writer.Write(Bytes.Length);
            writer.Write(Bytes);
        }
        return packed.ToArray();
    }

    /// <summary>The image that <see cref="Pack"/> wrote.</summary>
    internal static KernelImage Unpack(byte[] packed)
    {
        using var reader = new BinaryReader(new MemoryStream(packed), Encoding.UTF8);
        var target = new KernelTarget(reader.ReadInt32(), reader.ReadBoolean());
        var log = reader.ReadString();
        return new KernelImage(target, reader.ReadBytes(reader.ReadInt32()), log);
    }
}
