using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Conformance;

/// <summary>One tensor of an operation under test.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Access">As the operation declares it.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">Values before the run, of the element type; for written outputs only the type and count matter.</param>
public sealed record Argument(string Name, Access Access, Shape Shape, Array Values)
{
    public static Argument Read(string name, Shape shape, Array values) => new(name, Access.Read, shape, values);

    public static Argument Update(string name, Shape shape, Array values) => new(name, Access.Update, shape, values);

    public static Argument Write(string name, Shape shape) => new(name, Access.Write, shape, new float[shape.Count]);

    public static Argument WriteInt(string name, Shape shape) => new(name, Access.Write, shape, new int[shape.Count]);

    public static Argument WriteByte(string name, Shape shape) => new(name, Access.Write, shape, new byte[shape.Count]);

    public static Argument Accumulate(string name, Shape shape) => new(name, Access.Accumulate, shape, new float[shape.Count]);

    public static Argument Gradient(string name, Shape shape, bool accumulate) => accumulate ? Accumulate(name, shape) : Write(name, shape);

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
        float[] => DType.Float32,
        int[] => DType.Int32,
        byte[] => DType.UInt8,
        ushort[] => DType.UInt16,
        _ => throw new NotSupportedException(Values.GetType().Name),
    };
}
