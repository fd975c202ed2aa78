using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// Column sums of the attention matrix in linear time (method.md section 5): z from the keys, r = sum_i phi_q(q_i) / (phi_q(q_i) . z) from
/// the queries, then phi_k(k_j) . r for every key; heads are added in their order, with their weights. Splits as in the forward pass.
/// </summary>
internal static unsafe class GeneAttentionKernel<TV> where TV : struct, IVector<TV>
{
    public static void Run(in GeneAttention operation, CpuDevice device)
    {
        var sizes = operation.Sizes;
        if (sizes.CellHeads * sizes.Splits == 0) return;
        var call = new FavorCall(sizes, operation.Q, operation.K, default, default, device.OperationScratch, device.Workers);
        call.Layout.Pack(call.Packed, (float*)operation.Projection.Address);
        var blocks = new Blocks(call, call.Packed + call.Layout.PackedFloats);

        var keys = new KeysBody { Blocks = blocks };
        device.Workers.Run(ref keys, sizes.CellHeads * sizes.Splits);
        var merge = new MergeKeysBody { Blocks = blocks };
        device.Workers.Run(ref merge, sizes.CellHeads);
        ShareMaxima(blocks);
        var queries = new QueriesBody { Blocks = blocks };
        device.Workers.Run(ref queries, sizes.CellHeads * sizes.Splits);
        var total = new MergeQueriesBody { Blocks = blocks };
        device.Workers.Run(ref total, sizes.CellHeads);
        var scores = new ScoresBody { Blocks = blocks, Scores = (float*)operation.Scores.Address, HeadWeights = (float*)operation.HeadWeights.Address };
        device.Workers.Run(ref scores, sizes.Cells * sizes.Splits);
    }

    // Gives every head the M of its scope, and turns its s into z.
    private static void ShareMaxima(Blocks blocks)
    {
        unchecked
        {
            var sizes = blocks.Call.Sizes;
            var headsOfMaximum = sizes.CellHeads / sizes.Maxima;
            for (var slot = 0; slot < sizes.Maxima; slot++)
            {
                var maximum = float.NegativeInfinity;
                for (var i = 0; i < headsOfMaximum; i++) maximum = MathF.Max(maximum, blocks.Head((slot * headsOfMaximum) + i).Maximum);
                for (var i = 0; i < headsOfMaximum; i++)
                {
                    var head = blocks.Head((slot * headsOfMaximum) + i);
                    FavorKeys<TV>.ScaleNormalisers(head, FavorKeys<TV>.Exp(head.Reference - maximum), blocks.Call.Layout);
                    head.Reference = maximum;
                    head.NormaliserTotal = Reduce.Sum<TV>(head.Normalisers, blocks.Call.Layout.PaddedFeatures);
                }
            }
        }
    }

    // For each head z, then for each of its splits the sums over keys and, after them, over queries.
    private readonly struct Blocks(FavorCall call, float* memory)
    {
        public FavorCall Call => call;

        public int Floats => FavorSizes.NormaliserFloats(call.Layout.Features, call.Layout.Width);

        public HeadSums Head(int cellHead) => new(memory + ((long)cellHead * (1 + call.Sizes.Splits) * Floats), call.Layout);

        public HeadSums Split(int cellHead, int split) => new(Head(cellHead).Block + ((1L + split) * Floats), call.Layout);
    }

    private struct KeysBody : IParallelBody
    {
        public Blocks Blocks;

        public readonly void Run(int index, int worker)
        {
            var call = Blocks.Call;
            var (head, split) = (index / call.Sizes.Splits, index % call.Sizes.Splits);
            var sums = Blocks.Split(head, split);
            var scratch = call.Scratch(worker, FavorKeys<TV>.ScratchFloats(call.Layout));
            FavorKeys<TV>.BeginNormalisers(sums, Blocks.Floats);
            foreach (var tile in call.Tiles(split))
            {
                FavorKeys<TV>.Add(sums, call.K + call.Offset(head, tile.First), null, call.Row, tile.First, tile.Count, call.Layout, call.Packed, scratch);
            }
        }
    }

    private struct MergeKeysBody : IParallelBody
    {
        public Blocks Blocks;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var layout = Blocks.Call.Layout;
                var head = Blocks.Head(index);
                FavorKeys<TV>.BeginNormalisers(head, Blocks.Floats);
                head.Tokens = Blocks.Call.Sizes.Tokens;
                for (var i = 0; i < Blocks.Call.Sizes.Splits; i++)
                {
                    head.Reference = MathF.Max(head.Reference, Blocks.Split(index, i).Reference);
                    head.Maximum = MathF.Max(head.Maximum, Blocks.Split(index, i).Maximum);
                }
                for (var i = 0; i < Blocks.Call.Sizes.Splits; i++)
                {
                    var split = Blocks.Split(index, i);
                    FavorFeatures<TV>.Scale(split.Normalisers, FavorKeys<TV>.Exp(split.Reference - head.Reference), layout.PaddedFeatures);
                    FavorFeatures<TV>.AddTo(head.Normalisers, split.Normalisers, layout.PaddedFeatures);
                }
            }
        }
    }

    private struct QueriesBody : IParallelBody
    {
        public Blocks Blocks;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var call = Blocks.Call;
                var stride = call.Layout.PaddedFeatures;
                var (cellHead, split) = (index / call.Sizes.Splits, index % call.Sizes.Splits);
                var head = Blocks.Head(cellHead);
                var share = Blocks.Split(cellHead, split);
                new Span<float>(share.Block, Blocks.Floats).Clear();
                var features = call.Scratch(worker, FavorKeys<TV>.ScratchFloats(call.Layout));
                foreach (var tile in call.Tiles(split))
                {
                    FavorQueries<TV>.Features(features, call.Q + call.Offset(cellHead, tile.First), call.Row, tile.Count, call.Layout, call.Packed, null);
                    for (var t = 0; t < tile.Count; t++)
                    {
                        var inverse = 1 / FavorQueries<TV>.Denominator(features + (t * stride), head, call.Layout);
                        FavorFeatures<TV>.Scale(features + (t * stride), inverse, stride);
                        FavorFeatures<TV>.AddTo(share.Normalisers, features + (t * stride), stride);
                        share.NormaliserTotal += inverse;
                    }
                }
            }
        }
    }

    // r of a head, left in its first split, with its sum over the features.
    private struct MergeQueriesBody : IParallelBody
    {
        public Blocks Blocks;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var layout = Blocks.Call.Layout;
                var total = Blocks.Split(index, 0);
                for (var i = 1; i < Blocks.Call.Sizes.Splits; i++)
                {
                    var share = Blocks.Split(index, i);
                    FavorFeatures<TV>.AddTo(total.Normalisers, share.Normalisers, layout.PaddedFeatures);
                    total.NormaliserTotal += share.NormaliserTotal;
                }
                var floor = FavorSizes.FeatureMapEpsilon * total.NormaliserTotal;
                for (var j = 0; j < layout.Features; j++) total.Normalisers[j] += floor;
                total.NormaliserTotal = Reduce.Sum<TV>(total.Normalisers, layout.PaddedFeatures);
            }
        }
    }

    private struct ScoresBody : IParallelBody
    {
        public Blocks Blocks;
        public float* Scores;
        public float* HeadWeights;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var call = Blocks.Call;
                var layout = call.Layout;
                var (cell, split) = (index / call.Sizes.Splits, index % call.Sizes.Splits);
                var features = call.Scratch(worker, FavorKeys<TV>.ScratchFloats(layout));
                foreach (var tile in call.Tiles(split))
                {
                    var scores = Scores + ((nint)cell * call.Sizes.Tokens) + tile.First;
                    for (var head = 0; head < call.Sizes.Heads; head++)
                    {
                        var cellHead = (cell * call.Sizes.Heads) + head;
                        var r = Blocks.Split(cellHead, 0);
                        var maximum = Blocks.Head(cellHead).Reference;
                        var k = call.K + call.Offset(cellHead, tile.First);
                        FavorFeatures<TV>.Project(features, k, call.Row, tile.Count, layout, call.Packed);
                        for (var t = 0; t < tile.Count; t++)
                        {
                            var u = features + (t * layout.PaddedFeatures);
                            FavorFeatures<TV>.Exponentials(u, FavorFeatures<TV>.HalfNorm(k + (t * call.Row), layout) + maximum, layout);
                            var sum = Reduce.Dot<TV>(u, r.Normalisers, layout.PaddedFeatures) + (FavorSizes.FeatureMapEpsilon * r.NormaliserTotal);
                            scores[t] += HeadWeights[head] * sum;
                        }
                    }
                }
            }
        }
    }
}
