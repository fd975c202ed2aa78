using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>One tensor of an operation under test.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Access">As the operation declares it.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">Values before the run, of the element type, those of half precision as float32; for written outputs only the type and count matter.</param>
/// <param name="Floating">Element type of floating-point values.</param>
public sealed record Argument(string Name, Access Access, Shape Shape, Array Values, DType Floating = DType.Float32)
{
    public static Argument Read(string name, Shape shape, Array values) => new(name, Access.Read, shape, values);

    /// <summary>Values rounded to a type, which the kernel and both references then read.</summary>
    public static Argument Read(string name, Shape shape, float[] values, DType type) => new(name, Access.Read, shape, Rounding.To(type, values), type);

    public static Argument Update(string name, Shape shape, Array values) => new(name, Access.Update, shape, values);

    public static Argument Write(string name, Shape shape, DType type = DType.Float32) => new(name, Access.Write, shape, new float[shape.Count], type);

    public static Argument WriteInt(string name, Shape shape) => new(name, Access.Write, shape, new int[shape.Count]);

    public static Argument WriteByte(string name, Shape shape) => new(name, Access.Write, shape, new byte[shape.Count]);

    public static Argument Accumulate(string name, Shape shape, DType type = DType.Float32) => new(name, Access.Accumulate, shape, new float[shape.Count], type);

    public static Argument Gradient(string name, Shape shape, bool accumulate, DType type = DType.Float32) =>
        accumulate ? Accumulate(name, shape, type) : Write(name, shape, type);

    public bool IsFloat => Values is float[];

    public float[] Floats => (float[])Values;

    public int[] Integers => Values switch
    {
        int[] v => v,
        byte[] v => Array.ConvertAll(v, x => (int)x),
        ushort[] v => Array.ConvertAll(v, x => (int)x),
        _ => throw new NotSupportedException(Values.GetType().Name),
    };

    public DType Type => Values switch
    {
        float[] => Floating,
        int[] => DType.Int32,
        byte[] => DType.UInt8,
        ushort[] => DType.UInt16,
        _ => throw new NotSupportedException(Values.GetType().Name),
    };
}
