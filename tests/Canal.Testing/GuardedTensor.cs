using System.Runtime.InteropServices;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;
using Canal.Testing.Emulator;

namespace Canal.Testing;

/// <summary>
/// A floating-point tensor between canaries. A fresh one is filled with a NaN of its own, so that a skipped write shows (style R29). The
/// canaries are numbers, different everywhere: NaN would hide a stray addition, since NaN plus anything keeps its bits, while these change under
/// it, and a read beyond the end spoils a sum; they are large, but not so large in half precision that an addition would be rounded away. Not
/// aligned to more than one element unless asked for: views are not either.
/// </summary>
public sealed class GuardedTensor : IDisposable
{
    private const int GuardElements = 35;
    private static int created;
    private readonly byte[] canaries;
    private readonly Device device;
    private readonly Tensor whole;
    private readonly int before;
    private readonly EmulatedRuntime? emulator;

    /// <summary>A float32 tensor full of NaN.</summary>
    public GuardedTensor(Device device, Shape shape, bool aligned = false) : this(device, DType.Float32, shape, aligned) { }

    /// <summary>A float32 tensor with the given values.</summary>
    public GuardedTensor(Device device, Shape shape, ReadOnlySpan<float> values, bool aligned = false) : this(device, DType.Float32, shape, values, aligned) { }

    /// <summary>A tensor full of NaN: float32, float16 or bfloat16.</summary>
    public GuardedTensor(Device device, DType type, Shape shape, bool aligned = false)
    {
        this.device = device;
        before = aligned ? 48 : GuardElements;
        var count = checked((int)shape.Count);
        whole = device.Allocate(type, new Shape(before + count + GuardElements));
        Tensor = new Tensor(whole.Storage, (nuint)(before * type.Bytes()), type, shape);
        var least = Rounding.IsHalf(type) ? 8 : 1000;
        canaries = Rounding.Bytes(type, Array.ConvertAll(Sample.Uniform(Interlocked.Increment(ref created), whole.Count, -least, least), v => v + MathF.CopySign(least, v)));
        var values = (byte[])canaries.Clone();
        Fill(Inside(values));
        device.CopyFromHost(whole, values);
        emulator = (device as CudaDevice)?.Runtime as EmulatedRuntime;
        emulator?.Forbid(whole.Address, (nuint)(before * type.Bytes()));
        emulator?.Forbid(End, (nuint)(GuardElements * type.Bytes()));
    }

    /// <summary>A tensor with the given values, rounded to its type.</summary>
    public GuardedTensor(Device device, DType type, Shape shape, ReadOnlySpan<float> values, bool aligned = false) : this(device, type, shape, aligned) =>
        device.CopyFromHost(Tensor, Rounding.Bytes(type, values));

    /// <summary>The view between the canaries.</summary>
    public Tensor Tensor { get; }

    /// <summary>The values now, widened to float32.</summary>
    public float[] Values => Rounding.Widened(Tensor.Type, Read(Tensor));

    private nint End => whole.Address + (nint)((before + Tensor.Count) * Tensor.Type.Bytes());

    // Quiet NaNs with payloads that no computation makes.
    private ReadOnlySpan<byte> Unwritten => Tensor.Type switch
    {
        DType.Float16 => [0x4A, 0x7E],
        DType.BFloat16 => [0xCA, 0x7F],
        _ => [0x10, 0x4A, 0xCA, 0x7F],
    };

    /// <summary>Fails where an element was never written, or a canary was.</summary>
    public void AssertWrittenInside(string what)
    {
        AssertFullyWritten(what);
        AssertCanariesIntact(what);
    }

    /// <summary>Fails where an element still holds what it was filled with.</summary>
    public void AssertFullyWritten(string what)
    {
        var (bytes, size) = (Read(Tensor), Tensor.Type.Bytes());
        for (var i = 0; i < bytes.Length; i += size)
        {
            if (bytes.AsSpan(i, size).SequenceEqual(Unwritten)) Assert.Fail($"{what}: element {i / size} of {Tensor.Count} ({Tensor.Shape}) was never written.");
        }
    }

    /// <summary>Fails where something was written before or behind the tensor.</summary>
    public void AssertCanariesIntact(string what)
    {
        var (bytes, size) = (Read(whole), Tensor.Type.Bytes());
        Inside(canaries).CopyTo(Inside(bytes));
        var at = bytes.AsSpan().CommonPrefixLength(canaries) / size;
        if (at < whole.Count)
        {
            Assert.Fail($"{what}: {Rounding.Widened(Tensor.Type, bytes.AsSpan(at * size, size))[0]} was written at element {at - before}, outside {Tensor.Shape}.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        emulator?.Allow(whole.Address);
        emulator?.Allow(End);
        whole.Storage.Dispose();
    }

    private Span<byte> Inside(byte[] bytes) => bytes.AsSpan((int)Tensor.Offset, (int)Tensor.Bytes);

    private void Fill(Span<byte> bytes)
    {
        if (Tensor.Type.Bytes() == 4) MemoryMarshal.Cast<byte, uint>(bytes).Fill(MemoryMarshal.Read<uint>(Unwritten));
        else MemoryMarshal.Cast<byte, ushort>(bytes).Fill(MemoryMarshal.Read<ushort>(Unwritten));
    }

    private byte[] Read(Tensor tensor)
    {
        var bytes = new byte[tensor.Bytes];
        device.CopyToHost(bytes, tensor);
        return bytes;
    }
}
