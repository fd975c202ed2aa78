using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// FAVOR+ forward in the centred form (method.md section 2). Keys in parallel over (cell, head, split), splits merged in their order,
/// then queries in parallel over (cell, head, split). Features exist for 64 tokens of one head at a time, in a worker's scratch.
/// </summary>
internal static unsafe class FavorForwardKernel<TV> where TV : struct, IVector<TV>
{
    public static void Run(in FavorForward operation, CpuDevice device)
    {
        var call = new FavorCall(operation.Sizes, operation.Q, operation.K, operation.V, operation.State, device.OperationScratch, device.Workers);
        var sizes = operation.Sizes;
        if (sizes.CellHeads * sizes.Splits == 0) return;
        var layout = call.Layout;
        layout.Pack(call.Packed, (float*)operation.Projection.Address);

        var splits = call.Packed + layout.PackedFloats;
        var headers = splits + ((long)sizes.WaveHeads * sizes.Splits * layout.SumsFloats);
        for (var first = 0; first < sizes.CellHeads; first += sizes.WaveHeads)
        {
            var heads = Math.Min(sizes.WaveHeads, sizes.CellHeads - first);
            var keys = new KeysBody { Call = call, Splits = splits, FirstHead = first };
            device.Workers.Run(ref keys, heads * sizes.Splits);
            var merge = new MergeBody { Call = call, Splits = splits, Headers = headers, FirstHead = first };
            device.Workers.Run(ref merge, heads);
        }
        FindMaxima(call, headers, (float*)operation.State.KeyMaximum.Address, (int*)operation.State.KeyMaximumAt.Address);
        var scale = new ScaleBody { Call = call, Headers = headers };
        device.Workers.Run(ref scale, sizes.CellHeads);
        var queries = new QueriesBody { Call = call, Output = (float*)operation.Out.Address };
        device.Workers.Run(ref queries, sizes.CellHeads * sizes.Splits);
    }

    // The largest over the heads of a cell, or of the whole batch; ties to the lowest (cell, token, feature, head).
    private static void FindMaxima(FavorCall call, float* headers, float* maxima, int* places)
    {
        var sizes = call.Sizes;
        for (var slot = 0; slot < sizes.Maxima; slot++)
        {
            var (first, last) = sizes.Scope == KeyMaximumScope.Cell ? (slot, slot) : (0, sizes.Cells - 1);
            maxima[slot] = float.NegativeInfinity;
            var place = (Cell: first, Token: 0, Feature: 0, Head: 0);
            for (var cell = first; cell <= last; cell++)
            {
                for (var head = 0; head < sizes.Heads; head++)
                {
                    var found = new HeadSums(headers + (((cell * sizes.Heads) + head) * HeadSums.HeaderFloats), call.Layout);
                    var at = (cell, found.MaximumToken, found.MaximumFeature, head);
                    if (!(found.Maximum > maxima[slot] || (found.Maximum == maxima[slot] && at.CompareTo(place) < 0))) continue;
                    maxima[slot] = found.Maximum;
                    place = at;
                }
            }
            (places[slot * 4], places[(slot * 4) + 1]) = (place.Cell, place.Token);
            (places[(slot * 4) + 2], places[(slot * 4) + 3]) = (place.Feature, place.Head);
        }
    }

    private struct KeysBody : IParallelBody
    {
        public FavorCall Call;
        public float* Splits;
        public int FirstHead;

        public readonly void Run(int index, int worker)
        {
            var layout = Call.Layout;
            var (head, split) = (FirstHead + (index / Call.Sizes.Splits), index % Call.Sizes.Splits);
            var sums = new HeadSums(Splits + ((long)index * layout.SumsFloats), layout);
            var scratch = Call.Scratch(worker, FavorKeys<TV>.ScratchFloats(layout));
            FavorKeys<TV>.Begin(sums, layout);
            foreach (var tile in Call.Tiles(split))
            {
                var offset = Call.Offset(head, tile.First);
                FavorKeys<TV>.Add(sums, Call.K + offset, Call.V + offset, Call.Row, tile.First, tile.Count, layout, Call.Packed, scratch);
            }
        }
    }

    private struct MergeBody : IParallelBody
    {
        public FavorCall Call;
        public float* Splits;
        public float* Headers;
        public int FirstHead;

        public readonly void Run(int index, int worker)
        {
            var layout = Call.Layout;
            var merged = new HeadSums(Call.Scratch(worker, layout.SumsFloats), layout);
            FavorKeys<TV>.Merge(merged, Splits + ((long)index * Call.Sizes.Splits * layout.SumsFloats), layout.SumsFloats, Call.Sizes.Splits, layout);
            Call.StoreState(merged, FirstHead + index);
            new Span<float>(merged.Block, HeadSums.HeaderFloats).CopyTo(
                new Span<float>(Headers + ((long)(FirstHead + index) * HeadSums.HeaderFloats), HeadSums.HeaderFloats));
        }
    }

    private struct ScaleBody : IParallelBody
    {
        public FavorCall Call;
        public float* Headers;

        public readonly void Run(int index, int worker)
        {
            var head = new HeadSums(Call.Scratch(worker, Call.Layout.SumsFloats), Call.Layout);
            Call.LoadState(head, index);
            head.Reference = Headers[(long)index * HeadSums.HeaderFloats];
            FavorKeys<TV>.Scale(head, Call.Maximum(index), Call.Layout);
            Call.StoreState(head, index);
        }
    }

    private struct QueriesBody : IParallelBody
    {
        public FavorCall Call;
        public float* Output;

        public readonly void Run(int index, int worker)
        {
            var layout = Call.Layout;
            var (cellHead, split) = (index / Call.Sizes.Splits, index % Call.Sizes.Splits);
            var scratch = Call.Scratch(worker, layout.SumsFloats + FavorQueries<TV>.ScratchFloats(layout));
            var head = new HeadSums(scratch, layout);
            Call.LoadState(head, cellHead);
            FavorKeys<TV>.Finish(head, layout);
            foreach (var tile in Call.Tiles(split))
            {
                var offset = Call.Offset(cellHead, tile.First);
                FavorQueries<TV>.Apply(Output + offset, Call.Row, Call.Q + offset, Call.Row, tile.Count, head, layout, Call.Packed, scratch + layout.SumsFloats);
            }
        }
    }
}
