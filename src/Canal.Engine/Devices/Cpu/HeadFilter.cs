using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>u = relu(w . y + b) a row; backward, with e = du where u > 0, else 0: dy = e w, dw += sum e y, db += sum e.</summary>
internal static unsafe class HeadFilterKernels
{
    public static void Forward<V>(in HeadFilterForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ForwardBody<V>
        {
            U = (float*)operation.U.Address,
            Y = (float*)operation.Y.Address,
            W = (float*)operation.W.Address,
            Bias = *(float*)operation.Bias.Address,
            Rows = operation.Y.Shape.Rows,
            Columns = operation.Y.Shape.Columns,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Chunks.Rows(body.Columns)));
    }

    public static void Backward<V>(in HeadFilterBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BackwardBody<V>
        {
            DY = operation.DY.IsNone ? null : (float*)operation.DY.Address,
            Partials = (float*)device.OperationScratch,
            DU = (float*)operation.DU.Address,
            U = (float*)operation.U.Address,
            Y = (float*)operation.Y.Address,
            W = (float*)operation.W.Address,
            Rows = operation.Y.Shape.Rows,
            Columns = operation.Y.Shape.Columns,
        };
        var (chunks, columns) = (RowReduction.Chunks(body.Rows), body.Columns);
        device.Workers.Run(ref body, chunks);
        if (!operation.DW.IsNone) RowSums.Merge<V>((float*)operation.DW.Address, body.Partials, chunks, columns + 1, columns);
        if (!operation.DBias.IsNone) RowSums.Merge<V>((float*)operation.DBias.Address, body.Partials + columns, chunks, columns + 1, 1);
    }

    private struct ForwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* U;
        public float* Y;
        public float* W;
        public float Bias;
        public int Rows;
        public int Columns;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var rows = Chunks.Rows(Columns);
                var last = Math.Min((index + 1) * rows, Rows);
                for (var n = index * rows; n < last; n++)
                {
                    var sum = Reduce.Dot<V>(W, Y + ((long)n * Columns), Columns) + Bias;
                    U[n] = sum < 0 ? 0 : sum;
                }
            }
        }
    }

    private struct BackwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* DY;
        public float* Partials;
        public float* DU;
        public float* U;
        public float* Y;
        public float* W;
        public int Rows;
        public int Columns;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = index * RowReduction.ChunkRows;
                var last = Math.Min(first + RowReduction.ChunkRows, Rows);
                var dw = Partials == null ? null : Partials + ((long)index * (Columns + 1));
                if (dw != null) new Span<float>(dw, Columns + 1).Clear();
                for (var n = first; n < last; n++)
                {
                    var e = U[n] > 0 ? DU[n] : 0;
                    var at = (long)n * Columns;
                    if (DY != null) Scale(DY + at, W, e, Columns);
                    if (dw == null) continue;
                    AddScaled(dw, Y + at, e, Columns);
                    dw[Columns] += e;
                }
            }
        }

        private static void Scale(float* y, float* x, float factor, int count)
        {
            unchecked
            {
                var f = V.Create(factor);
                for (var c = 0; c < count; c += V.Count) V.Store(f * V.Load(x + c, count - c), y + c, count - c);
            }
        }

        private static void AddScaled(float* y, float* x, float factor, int count)
        {
            unchecked
            {
                var f = V.Create(factor);
                for (var c = 0; c < count; c += V.Count)
                {
                    V.Store(V.FusedMultiplyAdd(f, V.Load(x + c, count - c), V.Load(y + c, count - c)), y + c, count - c);
                }
            }
        }
    }
}
