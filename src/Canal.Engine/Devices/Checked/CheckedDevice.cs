using System.Globalization;
using System.Runtime.InteropServices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Checked;

/// <summary>
/// Wraps a device and watches every operation: written outputs are filled with NaN beforehand, so that a skipped write shows; afterwards no
/// floating-point output may hold NaN or infinity, and no input may have changed. For finding defects; slow, and it allocates.
/// </summary>
public sealed class CheckedDevice : Device
{
    // A NaN that no computation makes, in float32 and, both halves of it, in float16 and bfloat16.
    private const int UnwrittenBits = 0x7FCC7FCC;

    // Floats that are filled or looked at together: 1 MiB of host memory, however large the tensor.
    private const int BlockFloats = 1 << 18;

    private readonly Device inner;
    private readonly float[] block = new float[BlockFloats];
    private readonly float[] unwritten = new float[BlockFloats];

    /// <summary>Watches <paramref name="inner"/>, shares its memory, and disposes of it.</summary>
    public CheckedDevice(Device inner) : base(inner.Memory)
    {
        this.inner = inner;
        Array.Fill(unwritten, BitConverter.Int32BitsToSingle(UnwrittenBits));
    }

    /// <inheritdoc/>
    public override string Numerics => inner.Numerics;

    /// <inheritdoc/>
    public override DeviceKind Kind => inner.Kind;

    /// <inheritdoc/>
    public override DType ActivationType(bool training) => inner.ActivationType(training);

    /// <inheritdoc/>
    public override int WorkerThreads => inner.WorkerThreads;

    /// <inheritdoc/>
    public override string Description => $"{inner.Description}, checked";

    /// <inheritdoc/>
    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        var uses = description.Uses;
        var before = new ulong[uses.Length];
        for (var i = 0; i < uses.Length; i++)
        {
            if (IsInput(uses[i]) && !IsChanged(uses, i)) before[i] = Checksum(uses[i].Tensor);
            else if (uses[i].Access == Access.Write && IsFloating(uses[i].Type) && !IsShared(uses, i)) Fill(uses[i].Tensor);
        }
        inner.Run(in operation);
        inner.Synchronise();
        for (var i = 0; i < uses.Length; i++)
        {
            if (!IsInput(uses[i])) RequireFinite(TOp.Name, uses[i]);
            else if (!IsChanged(uses, i) && Checksum(uses[i].Tensor) != before[i])
            {
                throw new InvalidOperationException($"{TOp.Name}: {uses[i].Argument} is declared as read, but the operation changed it.");
            }
        }
    }

    /// <inheritdoc/>
    public override void Copy(Tensor to, Tensor from) => inner.Copy(to, from);

    /// <inheritdoc/>
    public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from) => inner.CopyFromHost(to, from);

    /// <inheritdoc/>
    public override void CopyToHost(Span<byte> to, Tensor from) => inner.CopyToHost(to, from);

    /// <inheritdoc/>
    public override void Synchronise() => inner.Synchronise();

    /// <inheritdoc/>
    public override void Dispose()
    {
        inner.Dispose();
        base.Dispose();
    }

    private static bool IsFloating(DType type) => type is DType.Float32 or DType.Float16 or DType.BFloat16;

    private static bool IsInput(in TensorUse use) => use.Access == Access.Read;

    // Whether another argument that is written lies over this one: in-place operations.
    private static bool IsChanged(ReadOnlySpan<TensorUse> uses, int index)
    {
        for (var i = 0; i < uses.Length; i++)
        {
            if (i != index && !IsInput(uses[i]) && Overlap(uses[i].Tensor, uses[index].Tensor)) return true;
        }
        return false;
    }

    // Whether any other argument lies over this one, so that filling it would spoil an input.
    private static bool IsShared(ReadOnlySpan<TensorUse> uses, int index)
    {
        for (var i = 0; i < uses.Length; i++)
        {
            if (i != index && Overlap(uses[i].Tensor, uses[index].Tensor)) return true;
        }
        return false;
    }

    private static bool Overlap(Tensor a, Tensor b) =>
        ReferenceEquals(a.Storage, b.Storage) && a.Offset < b.Offset + b.Bytes && b.Offset < a.Offset + a.Bytes;

    private void Fill(Tensor tensor)
    {
        for (long first = 0; first < tensor.Count; first += BlockFloats)
        {
            var part = Part(tensor, first);
            inner.CopyFromHost(part, MemoryMarshal.AsBytes(unwritten.AsSpan())[..(int)part.Bytes]);
        }
    }

    private void RequireFinite(string operation, in TensorUse use)
    {
        if (!IsFloating(use.Type)) return;
        for (long first = 0; first < use.Tensor.Count; first += BlockFloats)
        {
            var part = Part(use.Tensor, first);
            var bytes = MemoryMarshal.AsBytes(block.AsSpan())[..(int)part.Bytes];
            inner.CopyToHost(bytes, part);
            for (var i = 0; i < (int)part.Count; i++)
            {
                var (value, unwrittenValue) = Value(bytes, use.Type, i);
                if (float.IsFinite(value)) continue;
                var what = unwrittenValue ? "was never written" : string.Create(CultureInfo.InvariantCulture, $"is {value}");
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture, $"{operation}: element {first + i} of {use.Argument} {use.Tensor.Shape} {what}."));
            }
        }
    }

    private static (float Value, bool Unwritten) Value(ReadOnlySpan<byte> bytes, DType type, int index)
    {
        if (type == DType.Float32)
        {
            var wide = MemoryMarshal.Cast<byte, int>(bytes)[index];
            return (BitConverter.Int32BitsToSingle(wide), wide == UnwrittenBits);
        }
        var bits = MemoryMarshal.Cast<byte, ushort>(bytes)[index];
        return (type == DType.Float16 ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.Int32BitsToSingle(bits << 16), bits == (UnwrittenBits & 0xFFFF));
    }

    // FNV-1a (Fowler, Noll, Vo): against accidents, not against intent.
    private ulong Checksum(Tensor tensor)
    {
        const ulong prime = 1099511628211;
        var sum = 14695981039346656037;
        var bytes = new byte[(int)Math.Min(tensor.Bytes, BlockFloats * sizeof(float))];
        for (nuint first = 0; first < tensor.Bytes; first += BlockFloats * sizeof(float))
        {
            var count = (int)Math.Min(tensor.Bytes - first, BlockFloats * sizeof(float));
            var part = new Tensor(tensor.Storage, tensor.Offset + first, DType.UInt8, new Shape(count));
            inner.CopyToHost(bytes.AsSpan(0, count), part);
            unchecked
            {
                for (var i = 0; i < count; i++) sum = (sum ^ bytes[i]) * prime;
            }
        }
        return sum;
    }

    private static Tensor Part(Tensor tensor, long first) => new(
        tensor.Storage, tensor.Offset + (nuint)(first * tensor.Type.Bytes()), tensor.Type, new Shape((int)Math.Min(BlockFloats, tensor.Count - first)));
}
