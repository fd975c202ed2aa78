using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// FAVOR+ backward with recomputed features (method.md section 2), heads in waves of bounded memory: queries in parallel over (head, split),
/// dS and dz merged in the splits' order, then keys over (head, split). Last, g of each key maximum is taken off its one element.
/// </summary>
internal static unsafe class FavorBackwardKernel<TV> where TV : struct, IVector<TV>
{
    public static void Run(in FavorBackward operation, CpuDevice device)
    {
        var sizes = operation.Sizes;
        if (sizes.CellHeads * sizes.Splits == 0) return;
        var call = new FavorCall(sizes, operation.Q, operation.K, operation.V, operation.State, device.OperationScratch, device.Workers);
        var layout = call.Layout;
        layout.Pack(call.Packed, (float*)operation.Projection.Address);

        var wave = new Wave(call, call.Packed + layout.PackedFloats);
        var maximumGradients = call.Packed + layout.PackedFloats + (sizes.WaveHeads * wave.HeadFloats);
        for (var first = 0; first < sizes.CellHeads; first += sizes.WaveHeads)
        {
            wave.FirstHead = first;
            var heads = Math.Min(sizes.WaveHeads, sizes.CellHeads - first);
            var prepare = new PrepareBody { Wave = wave };
            device.Workers.Run(ref prepare, heads);
            var queries = new QueriesBody { Wave = wave, DQ = (float*)operation.DQ.Address, DOut = (float*)operation.DOut.Address };
            device.Workers.Run(ref queries, heads * sizes.Splits);
            var merge = new MergeBody { Wave = wave, MaximumGradients = maximumGradients };
            device.Workers.Run(ref merge, heads);
            var keys = new KeysBody { Wave = wave, DK = (float*)operation.DK.Address, DV = (float*)operation.DV.Address };
            device.Workers.Run(ref keys, heads * sizes.Splits);
        }
        ThroughMaxima(call, maximumGradients, (float*)operation.DK.Address, (float*)operation.Projection.Address, (int*)operation.State.KeyMaximumAt.Address);
    }

    // g of a maximum = -eps n sum over heads (and cells, in batch scope) of sum_j dz_j, taken off the projection where it was found.
    private static void ThroughMaxima(FavorCall call, float* gradients, float* dk, float* projection, int* places)
    {
        unchecked
        {
            var (sizes, layout) = (call.Sizes, call.Layout);
            var headsOfMaximum = sizes.CellHeads / sizes.Maxima;
            for (var slot = 0; slot < sizes.Maxima; slot++)
            {
                var total = 0f;
                for (var i = 0; i < headsOfMaximum; i++) total += gradients[(slot * headsOfMaximum) + i];
                var factor = layout.Scale * (-FavorSizes.FeatureMapEpsilon * sizes.Tokens * total);
                var at = places + (slot * 4);
                var to = dk + call.Offset((at[0] * sizes.Heads) + at[3], at[1]);
                var from = projection + ((nint)at[2] * layout.Width);
                for (var d = 0; d < layout.Width; d++) to[d] -= factor * from[d];
            }
        }
    }

    // Memory of the heads of a wave: for each S' and its transpose, dS and its transpose, then the shares of its splits.
    private struct Wave(FavorCall call, float* memory)
    {
        public readonly FavorCall Call => call;

        public int FirstHead;

        public readonly long HeadFloats => ((2L + call.Sizes.Splits) * call.Layout.SumsFloats) + (2L * TransposeFloats);

        private readonly int TransposeFloats => call.Layout.Width * call.Layout.PaddedFeatures;

        public readonly HeadSums Sums(int head) => new(Memory(head), call.Layout);

        public readonly HeadSums DSums(int head) => new(Memory(head) + call.Layout.SumsFloats, call.Layout);

        public readonly HeadSums Share(int head, int split) => new(Memory(head) + ((2L + split) * call.Layout.SumsFloats), call.Layout);

        public readonly Panels Transposed(int head) => Panels.At(Transposes(head), call.Layout.Width, call.Layout.PaddedFeatures);

        public readonly Panels DTransposed(int head) => Panels.At(Transposes(head) + TransposeFloats, call.Layout.Width, call.Layout.PaddedFeatures);

        public readonly void Transpose(HeadSums sums, Panels to) =>
            Panels.Pack(to.First, sums.Sums, call.Layout.Width, call.Layout.PaddedFeatures, call.Layout.PaddedWidth, transposed: true);

        private readonly float* Memory(int head) => memory + (head * HeadFloats);

        private readonly float* Transposes(int head) => Memory(head) + ((2L + call.Sizes.Splits) * call.Layout.SumsFloats);
    }

    private struct PrepareBody : IParallelBody
    {
        public Wave Wave;

        public readonly void Run(int index, int worker)
        {
            var sums = Wave.Sums(index);
            Wave.Call.LoadState(sums, Wave.FirstHead + index);
            FavorKeys<TV>.Finish(sums, Wave.Call.Layout);
            Wave.Transpose(sums, Wave.Transposed(index));
        }
    }

    private struct QueriesBody : IParallelBody
    {
        public Wave Wave;
        public float* DQ;
        public float* DOut;

        public readonly void Run(int index, int worker)
        {
            var call = Wave.Call;
            var layout = call.Layout;
            var (head, split) = (index / call.Sizes.Splits, index % call.Sizes.Splits);
            var share = Wave.Share(head, split);
            new Span<float>(share.Block, layout.SumsFloats).Clear();
            var scratch = call.Scratch(worker, FavorQueryGradients<TV>.ScratchFloats(layout));
            foreach (var tile in call.Tiles(split))
            {
                var offset = call.Offset(Wave.FirstHead + head, tile.First);
                FavorQueryGradients<TV>.Add(
                    share, DQ + offset, DOut + offset, call.Q + offset, call.Row, tile.Count, Wave.Sums(head), Wave.Transposed(head), layout, call.Packed, scratch);
            }
        }
    }

    private struct MergeBody : IParallelBody
    {
        public Wave Wave;
        public float* MaximumGradients;

        public readonly void Run(int index, int worker)
        {
            var dSums = Wave.DSums(index);
            FavorQueryGradients<TV>.Merge(dSums, Wave.Share(index, 0).Block, Wave.Call.Layout.SumsFloats, Wave.Call.Sizes.Splits, Wave.Call.Layout);
            Wave.Transpose(dSums, Wave.DTransposed(index));
            MaximumGradients[Wave.FirstHead + index] = dSums.NormaliserTotal;
        }
    }

    private struct KeysBody : IParallelBody
    {
        public Wave Wave;
        public float* DK;
        public float* DV;

        public readonly void Run(int index, int worker)
        {
            var call = Wave.Call;
            var layout = call.Layout;
            var (head, split) = (index / call.Sizes.Splits, index % call.Sizes.Splits);
            var cellHead = Wave.FirstHead + head;
            var scratch = call.Scratch(worker, FavorKeyGradients<TV>.ScratchFloats(layout));
            foreach (var tile in call.Tiles(split))
            {
                var offset = call.Offset(cellHead, tile.First);
                FavorKeyGradients<TV>.Write(
                    DK + offset, DV + offset, call.K + offset, call.V + offset, call.Row, tile.Count, call.Maximum(cellHead), Wave.Sums(head).Values,
                    Wave.DSums(head), Wave.DTransposed(head), layout, call.Packed, scratch);
            }
        }
    }
}
