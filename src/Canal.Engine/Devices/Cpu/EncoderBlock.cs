using Canal.Engine.Devices.Cpu.Encoder;
using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// A whole encoder block, tile by tile. First, in parallel over (cell, split of 256 tokens, group of heads): norm, keys, values, features, key sums;
/// then the splits are merged; then, in parallel over (cell, tile of 64 tokens): norm, queries, attention, output, feed-forward. What a tile needs
/// between them stays in its worker's scratch. Made of the same tile functions as the single operations, in the same order: the same bits.
/// </summary>
internal static unsafe class EncoderBlockKernel<TV> where TV : struct, IVector<TV>
{
    private const int TileTokens = FavorLayout.TileTokens;

    public static void Run(in EncoderBlockForward operation, CpuDevice device)
    {
        var favor = operation.Sizes;
        if (favor.Scope != KeyMaximumScope.Cell && favor.Cells > 1)
        {
            throw new ArgumentException($"{EncoderBlockForward.Name}: the key maximum must be taken over a cell, not over the batch; run the block's single operations instead.");
        }
        if (favor.CellHeads * favor.Splits == 0) return;
        var sizes = operation.BlockSizes;
        var packed = new PackedBlock((float*)device.OperationScratch, sizes);
        var layout = new FavorLayout(favor);
        packed.Pack(operation.Weights, layout, device.Workers);
        var pass = new EncoderPass<TV>(operation, sizes, packed, layout, device.Workers, (float*)device.OperationScratch + PackedBlock.Floats(sizes));

        for (var first = 0; first < favor.Cells; first += sizes.WaveCells)
        {
            var cells = Math.Min(sizes.WaveCells, favor.Cells - first);
            // Few pieces: cut by heads too, which costs a norm a group more.
            var groups = 1;
            while (groups < favor.Heads && cells * favor.Splits * groups < 4 * device.Workers.Threads) groups++;
            var keys = new KeysBody { Pass = pass, FirstCell = first, Groups = groups };
            device.Workers.Run(ref keys, cells * favor.Splits * groups);
            var merge = new MergeBody { Pass = pass };
            device.Workers.Run(ref merge, cells * favor.Heads);
            var scale = new ScaleBody { Pass = pass };
            device.Workers.Run(ref scale, cells * favor.Heads);
            var tokens = new TokensBody { Pass = pass, FirstCell = first, Tiles = (favor.Tokens + TileTokens - 1) / TileTokens };
            device.Workers.Run(ref tokens, cells * tokens.Tiles);
        }
    }

    private struct KeysBody : IParallelBody
    {
        public EncoderPass<TV> Pass;
        public int FirstCell, Groups;

        public readonly void Run(int index, int worker)
        {
            var heads = Pass.Favor.Heads;
            var (group, rest) = (index % Groups, index / Groups);
            var (split, cell) = (rest % Pass.Favor.Splits, rest / Pass.Favor.Splits);
            Pass.SumKeys(FirstCell + cell, cell, split, group * heads / Groups, (group + 1) * heads / Groups, worker);
        }
    }

    private struct MergeBody : IParallelBody
    {
        public EncoderPass<TV> Pass;

        public readonly void Run(int index, int worker) => Pass.Merge(index);
    }

    private struct ScaleBody : IParallelBody
    {
        public EncoderPass<TV> Pass;

        public readonly void Run(int index, int worker) => Pass.Scale(index);
    }

    private struct TokensBody : IParallelBody
    {
        public EncoderPass<TV> Pass;
        public int FirstCell, Tiles;

        public readonly void Run(int index, int worker) => Pass.ApplyTile(FirstCell + (index / Tiles), index / Tiles, index % Tiles * TileTokens, worker);
    }
}
