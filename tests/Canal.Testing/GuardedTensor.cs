using Canal.Engine.Devices;
using Canal.Engine.Tensors;

namespace Canal.Testing;

/// <summary>
/// A float32 tensor between canaries. A fresh one is filled with a NaN of its own, so that a skipped write shows (style R29). The canaries are
/// large numbers, different everywhere: NaN would hide a stray addition, since NaN plus anything keeps its bits, while these change under
/// it, and a read beyond the end spoils a sum. Not aligned to more than one float unless asked for: views are not either.
/// </summary>
public sealed class GuardedTensor : IDisposable
{
    // A quiet NaN with a payload that no computation makes.
    private static readonly float Unwritten = BitConverter.Int32BitsToSingle(0x7FCA4A10);
    private const int GuardFloats = 35;
    private static int created;
    private readonly float[] canaries;
    private readonly Device device;
    private readonly Tensor whole;
    private readonly int before;

    /// <summary>A tensor full of NaN.</summary>
    public GuardedTensor(Device device, Shape shape, bool aligned = false)
    {
        this.device = device;
        before = aligned ? 48 : GuardFloats;
        var count = checked((int)shape.Count);
        whole = device.Allocate(new Shape(before + count + GuardFloats));
        Tensor = new Tensor(whole.Storage, (nuint)before * sizeof(float), DType.Float32, shape);
        canaries = Array.ConvertAll(Sample.Uniform(Interlocked.Increment(ref created), whole.Count, -1000, 1000), v => v + MathF.CopySign(1000, v));
        var values = (float[])canaries.Clone();
        values.AsSpan(before, count).Fill(Unwritten);
        device.Write<float>(whole, values);
    }

    /// <summary>A tensor with the given values.</summary>
    public GuardedTensor(Device device, Shape shape, ReadOnlySpan<float> values, bool aligned = false) : this(device, shape, aligned) =>
        device.Write(Tensor, values);

    /// <summary>The view between the canaries.</summary>
    public Tensor Tensor { get; }

    /// <summary>The values now.</summary>
    public float[] Values => device.Read<float>(Tensor);

    /// <summary>Fails where an element was never written, or a canary was.</summary>
    public void AssertWrittenInside(string what)
    {
        AssertFullyWritten(what);
        AssertCanariesIntact(what);
    }

    /// <summary>Fails where an element still holds what it was filled with.</summary>
    public void AssertFullyWritten(string what)
    {
        var values = Values;
        for (var i = 0; i < values.Length; i++)
        {
            if (SameBits(values[i], Unwritten)) Assert.Fail($"{what}: element {i} of {values.Length} ({Tensor.Shape}) was never written.");
        }
    }

    /// <summary>Fails where something was written before or behind the tensor.</summary>
    public void AssertCanariesIntact(string what)
    {
        var values = device.Read<float>(whole);
        var end = before + (int)Tensor.Count;
        for (var i = 0; i < values.Length; i++)
        {
            if (i >= before && i < end) continue;
            if (!SameBits(values[i], canaries[i])) Assert.Fail($"{what}: {values[i]} was written at element {i - before}, outside {Tensor.Shape}.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => whole.Storage.Dispose();

    private static bool SameBits(float a, float b) => BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);
}
