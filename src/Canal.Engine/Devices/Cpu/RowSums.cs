using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>The last part of every sum over rows, and the gradient of a bias. Partials are [chunks, stride] in the operation's scratch.</summary>
internal static unsafe class RowSums
{
    /// <summary>dbias[c] += sum over n of dy[n, c].</summary>
    public static void ColumnSum<V>(in ColumnSum operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ColumnSumBody<V>
        {
            Partials = (float*)device.OperationScratch,
            DY = (float*)operation.DY.Address,
            Rows = operation.DY.Shape.Rows,
            Columns = operation.DY.Shape.Columns,
        };
        var chunks = RowReduction.Chunks(body.Rows);
        device.Workers.Run(ref body, chunks);
        Merge<V>((float*)operation.DBias.Address, body.Partials, chunks, body.Columns, body.Columns);
    }

    /// <summary>target[c] += sum over chunks, in order, of partials[chunk · stride + c]. Adds the finished sum once: a second pass doubles it exactly.</summary>
    public static void Merge<V>(float* target, float* partials, int chunks, long stride, int columns) where V : struct, IVector<V>
    {
        unchecked
        {
            for (var c = 0; c < columns; c += V.Count)
            {
                var lanes = columns - c;
                var sum = V.Zero;
                for (var chunk = 0; chunk < chunks; chunk++) sum += V.Load(partials + (chunk * stride) + c, lanes);
                V.Store(V.Load(target + c, lanes) + sum, target + c, lanes);
            }
        }
    }

    /// <summary>sum[c] += x[c].</summary>
    public static void AddRow<V>(float* sum, float* x, int columns) where V : struct, IVector<V>
    {
        unchecked
        {
            var c = 0;
            for (; c <= columns - V.Count; c += V.Count) V.Store(V.Load(sum + c) + V.Load(x + c), sum + c);
            if (c < columns) V.Store(V.Load(sum + c, columns - c) + V.Load(x + c, columns - c), sum + c, columns - c);
        }
    }

    private struct ColumnSumBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Partials;
        public float* DY;
        public int Rows;
        public int Columns;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = index * RowReduction.ChunkRows;
                var last = Math.Min(first + RowReduction.ChunkRows, Rows);
                var sums = Partials + ((long)index * Columns);
                new Span<float>(sums, Columns).Clear();
                for (var n = first; n < last; n++) AddRow<V>(sums, DY + ((long)n * Columns), Columns);
            }
        }
    }
}
