using Canal.Engine.Devices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Takes the operations that a larger one is made of, in order.</summary>
internal interface IOperationSink
{
    /// <summary>Takes one.</summary>
    void Take<TOp>(in TOp operation) where TOp : struct, IOperation;
}

/// <summary>
/// An encoder block as the operations that it is made of, over scratch memory: what a device runs that has no kernel for the whole. The same operations
/// in the same order as the block's layers (<see cref="Layers.EncoderBlock"/>): the same bits.
/// </summary>
internal static class EncoderBlockParts
{
    // As device memory itself is aligned.
    private const nuint Alignment = 256;

    /// <summary>Bytes of scratch: intermediates, then the largest scratch of any part.</summary>
    public static nuint ScratchBytes(in EncoderBlockForward block)
    {
        var meter = default(ScratchMeter);
        // Parts are described only, never run: any block of memory can stand for the scratch.
        return Run(block, block.X.Storage, ref meter) + meter.Bytes;
    }

    /// <summary>Gives the parts to <paramref name="sink"/>, their intermediates in <paramref name="scratch"/>; returns where the parts' own scratch begins.</summary>
    public static nuint Run<TSink>(in EncoderBlockForward block, Storage scratch, ref TSink sink) where TSink : struct, IOperationSink
    {
        var (x, w, s) = (block.X, block.Weights, block.Sizes);
        var (n, c, f, type) = (x.Shape.Rows, x.Shape.Columns, w.W1.Shape.Rows, w.Query.Type);
        nuint end = 0;
        var residual = Place(DType.Float32, new Shape(n, c));
        var h = Place(type, new Shape(n, c));
        // The attention's intermediates and the hidden units are never needed together.
        var shared = end;
        var (q, k, v, attended) = (Place(type, s.Rows), Place(type, s.Rows), Place(type, s.Rows), Place(type, s.Rows));
        var state = new FavorState(
            Place(DType.Float32, new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth)),
            Place(DType.Float32, new Shape(s.Cells, s.Heads, s.Features)),
            Place(DType.Float32, new Shape(s.Cells, s.Heads, s.HeadWidth)),
            Place(DType.Float32, new Shape(s.Maxima)),
            Place(DType.Int32, new Shape(s.Maxima, 4)));
        var attentionEnd = end;
        end = shared;
        var hidden = Place(type, new Shape(n, f));
        end = nuint.Max(end, attentionEnd);

        sink.Take(new LayerNormForward(h, Tensor.None, Tensor.None, x, w.AttentionNormGamma, w.AttentionNormBeta, block.NormEpsilon));
        sink.Take(new MatMul(q, h, w.Query, TransposeB: true));
        sink.Take(new MatMul(k, h, w.Key, TransposeB: true));
        sink.Take(new MatMul(v, h, w.Value, TransposeB: true));
        sink.Take(new FavorForward(attended, state, q, k, v, w.Projection, s));
        sink.Take(new BroadcastBias(residual, w.OutputBias, x));
        sink.Take(new MatMul(residual, attended, w.Output, TransposeB: true, Accumulate: true));
        sink.Take(new LayerNormForward(h, Tensor.None, Tensor.None, residual, w.FeedForwardNormGamma, w.FeedForwardNormBeta, block.NormEpsilon));
        sink.Take(new MatMul(hidden, h, w.W1, TransposeB: true));
        sink.Take(new GeluForward(hidden, hidden, w.B1));
        sink.Take(new BroadcastBias(block.Y, w.B2, residual));
        sink.Take(new MatMul(block.Y, hidden, w.W2, TransposeB: true, Accumulate: true));
        return end;

        Tensor Place(DType element, Shape shape)
        {
            var tensor = new Tensor(scratch, end, element, shape);
            end += (tensor.Bytes + Alignment - 1) / Alignment * Alignment;
            return tensor;
        }
    }

    private struct ScratchMeter : IOperationSink
    {
        public nuint Bytes { get; private set; }

        public void Take<TOp>(in TOp operation) where TOp : struct, IOperation
        {
            var description = new OperationDescription(DeviceKind.Cuda);
            operation.Describe(ref description);
            Bytes = nuint.Max(Bytes, description.ScratchBytes);
        }
    }
}
