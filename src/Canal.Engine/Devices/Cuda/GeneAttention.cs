using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// Gene attention in float32 arithmetic (favor_keys.cu without values, favor_totals.cu, gene_attention.cu): z from the keys, r from the queries, by split in
/// waves of bounded memory; then every key's column sum, and the heads' in their order.
/// </summary>
internal static class GeneAttentionLaunches
{
    public static void Run(in GeneAttention operation, CudaDevice device)
    {
        var sizes = operation.Sizes;
        if (operation.Scores.Count == 0 || operation.Q.Count == 0) return;
        var geometry = new FavorGeometry(sizes.HeadWidth, sizes.Features);
        var program = KernelPrograms.Favor(FavorPass.GeneAttention, sizes.HeadWidth, sizes.Features, operation.Q.Type);
        var scratch = new Scratch(device.OperationScratch, sizes, geometry);
        var wave = FavorGeometry.WaveUnits(sizes);
        var tokenBlocks = (long)sizes.CellHeads * FavorGeometry.TokenBlocks(sizes);
        for (var first = 0; first < sizes.CellHeads; first += wave)
        {
            var units = Math.Min(wave, sizes.CellHeads - first);
            var sums = default(KernelArguments);
            sums.Add(scratch.Parts).Add(operation.K).Add(Tensor.None).Add(operation.Projection)
                .Add(first).Add(units).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.HalfSquaredScale);
            device.Launch(program, "favor_key_sums", Grids.BlockEach((long)units * sizes.Splits * geometry.KeyGroups, geometry.KeyRows), sums);

            var merge = default(KernelArguments);
            merge.Add(Tensor.None).Add(scratch.Normalisers).Add(Tensor.None).Add(scratch.References).Add(scratch.Tops).Add(scratch.Places)
                .Add(scratch.Parts).Add(first).Add(units).Add(sizes.Tokens);
            device.Launch(program, "favor_merge_keys", Grids.BlockEach((long)units * geometry.MergeBlocks, FavorGeometry.MergeThreads), merge);
        }

        var maximum = default(KernelArguments);
        maximum.Add(scratch.Maximum).Add(scratch.MaximumAt).Add(scratch.Tops).Add(scratch.Places)
            .Add(sizes.Maxima).Add(sizes.Cells / sizes.Maxima).Add(sizes.Heads);
        device.Launch(program, "favor_key_maximum", Grids.BlockEach(sizes.Maxima, FavorGeometry.TotalThreads), maximum);

        var scale = default(KernelArguments);
        scale.Add(scratch.Totals).Add(Tensor.None).Add(scratch.Normalisers).Add(scratch.References).Add(scratch.Maximum)
            .Add(sizes.CellHeads).Add(sizes.CellHeads / sizes.Maxima).Add(sizes.Tokens);
        device.Launch(program, "favor_scale_sums", Grids.BlockEach(sizes.CellHeads, FavorGeometry.TotalThreads), scale);

        var statistics = default(KernelArguments);
        statistics.Add(scratch.Statistics).Add(scratch.Normalisers).Add(scratch.Totals).Add(operation.Q).Add(operation.Projection)
            .Add(sizes.CellHeads).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.HalfSquaredScale);
        device.Launch(program, "gene_query_statistics", Grids.BlockEach(tokenBlocks, FavorGeometry.TokenRows), statistics);

        for (var first = 0; first < sizes.CellHeads; first += wave)
        {
            var units = Math.Min(wave, sizes.CellHeads - first);
            var sums = default(KernelArguments);
            sums.Add(scratch.Parts).Add(operation.Q).Add(scratch.Statistics).Add(operation.Projection)
                .Add(first).Add(units).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale);
            device.Launch(program, "gene_query_sums", Grids.BlockEach((long)units * sizes.Splits * geometry.KeyGroups, geometry.KeyRows), sums);

            var merge = default(KernelArguments);
            merge.Add(scratch.Weights).Add(scratch.Parts).Add(first).Add(units).Add(sizes.Tokens);
            device.Launch(program, "gene_merge_queries", Grids.BlockEach((long)units * geometry.MergeBlocks, FavorGeometry.MergeThreads), merge);
        }

        var totals = default(KernelArguments);
        totals.Add(scratch.WeightTotals).Add(Tensor.None).Add(scratch.Weights).Add(sizes.CellHeads);
        device.Launch(program, "favor_total_sums", Grids.BlockEach(sizes.CellHeads, FavorGeometry.TotalThreads), totals);

        var columns = default(KernelArguments);
        columns.Add(scratch.Columns).Add(scratch.Weights).Add(scratch.WeightTotals).Add(scratch.Maximum).Add(operation.K).Add(operation.Projection)
            .Add(sizes.CellHeads).Add(sizes.CellHeads / sizes.Maxima).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.HalfSquaredScale);
        device.Launch(program, "gene_columns", Grids.BlockEach(tokenBlocks, FavorGeometry.TokenRows), columns);

        var scores = default(KernelArguments);
        scores.Add(operation.Scores).Add(scratch.Columns).Add(operation.HeadWeights).Add(sizes.Cells).Add(sizes.Heads).Add(sizes.Tokens);
        device.Launch(program, "gene_scores", Grids.Elements(operation.Scores.Count, device), scores);
    }

    /// <summary>Floats of scratch.</summary>
    public static long ScratchFloats(FavorSizes sizes) => new Scratch(0, sizes, new FavorGeometry(sizes.HeadWidth, sizes.Features)).Floats;

    // Sums of a wave's splits, four numbers a feature at most; of every head its five rows of features and two of totals; of every token three numbers; the maxima.
    private readonly struct Scratch(nint memory, FavorSizes sizes, FavorGeometry geometry)
    {
        private long FeatureFloats => (long)sizes.CellHeads * geometry.Features;

        private long TotalFloats => (long)sizes.CellHeads * (geometry.HeadWidth + 1);

        private long TokenFloats => (long)sizes.CellHeads * sizes.Tokens;

        // M + 1 numbers of a share of r fit where the four a feature of a share of z were.
        private long PartFloats => (long)FavorGeometry.WaveUnits(sizes) * sizes.Splits * 4 * geometry.Features;

        public long Floats => PartFloats + (5 * FeatureFloats) + (2 * TotalFloats) + (3 * TokenFloats) + (5L * sizes.Maxima);

        public nint Parts => memory;

        public nint Normalisers => At(PartFloats);

        public nint References => At(PartFloats + FeatureFloats);

        public nint Tops => At(PartFloats + (2 * FeatureFloats));

        public nint Places => At(PartFloats + (3 * FeatureFloats));

        public nint Weights => At(PartFloats + (4 * FeatureFloats));

        public nint Totals => At(PartFloats + (5 * FeatureFloats));

        public nint WeightTotals => At(PartFloats + (5 * FeatureFloats) + TotalFloats);

        public nint Statistics => At(PartFloats + (5 * FeatureFloats) + (2 * TotalFloats));

        public nint Columns => At(PartFloats + (5 * FeatureFloats) + (2 * TotalFloats) + (2 * TokenFloats));

        public nint Maximum => At(PartFloats + (5 * FeatureFloats) + (2 * TotalFloats) + (3 * TokenFloats));

        public nint MaximumAt => At(PartFloats + (5 * FeatureFloats) + (2 * TotalFloats) + (3 * TokenFloats) + sizes.Maxima);

        private nint At(long floats) => memory + (nint)(floats * sizeof(float));
    }
}
