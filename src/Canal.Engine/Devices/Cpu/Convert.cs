using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>Element types of half the width, which the CPU stores and converts but does not compute with.</summary>
internal static unsafe class ConvertKernels
{
    public static void Run(in Operations.Convert operation, CpuDevice device)
    {
        var body = new Body { Y = operation.Y.Address, X = operation.X.Address, To = operation.Y.Type, From = operation.X.Type, Count = operation.X.Count };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    private static float Load(nint x, DType type, long i) => type switch
    {
        DType.Float16 => (float)((Half*)x)[i],
        DType.BFloat16 => BitConverter.Int32BitsToSingle(((ushort*)x)[i] << 16),
        _ => ((float*)x)[i],
    };

    // Ties go to even by the carry of the last bit kept; the largest numbers round to infinity by themselves, NaN stays one.
    private static ushort ToBFloat16(float x)
    {
        unchecked
        {
            var bits = BitConverter.SingleToUInt32Bits(x);
            return (ushort)(float.IsNaN(x) ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
        }
    }

    private struct Body : IParallelBody
    {
        public nint Y;
        public nint X;
        public DType To;
        public DType From;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = (long)index * Chunks.Elements;
                var last = first + Chunks.Length(index, Count);
                for (var i = first; i < last; i++)
                {
                    var x = Load(X, From, i);
                    if (To == DType.Float16) ((Half*)Y)[i] = (Half)x;
                    else if (To == DType.BFloat16) ((ushort*)Y)[i] = ToBFloat16(x);
                    else ((float*)Y)[i] = x;
                }
            }
        }
    }
}
