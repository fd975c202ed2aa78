using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// FAVOR+ backward in float32 arithmetic: dq with what the sums need of each query; dS and dz by split in waves of bounded memory, merged in order; dk and dv,
/// with g of the key maximum taken off its one element. Where tensor cores fit, they run it all.
/// </summary>
internal static class FavorBackwardLaunches
{
    public static void Run(in FavorBackward operation, CudaDevice device)
    {
        var sizes = operation.Sizes;
        if (FavorTensorCores.Fits(operation.Q.Type, sizes, device.Runtime.Architecture))
        {
            FavorTensorCores.Backward(operation, device);
            return;
        }
        if (operation.DQ.Count == 0) return;
        var geometry = new FavorGeometry(sizes.HeadWidth, sizes.Features);
        var program = KernelPrograms.Favor(FavorPass.Backward, sizes.HeadWidth, sizes.Features, operation.Q.Type);
        var scratch = new Scratch(device.OperationScratch, sizes, geometry);
        var state = operation.State;
        var tokenBlocks = (long)sizes.CellHeads * FavorGeometry.TokenBlocks(sizes) * geometry.ValueChunks;

        Totals(scratch.Totals, state.Sums.Address, state.Normalisers.Address);
        var queries = default(KernelArguments);
        queries.Add(operation.DQ).Add(scratch.Statistics).Add(operation.DOut).Add(state.Sums).Add(state.Normalisers).Add(scratch.Totals)
            .Add(operation.Q).Add(operation.Projection).Add(sizes.CellHeads).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.SquaredScale);
        device.Launch(program, "favor_query_gradients", Grids.BlockEach(tokenBlocks, FavorGeometry.TokenRows), queries);

        var wave = FavorGeometry.WaveUnits(sizes);
        for (var first = 0; first < sizes.CellHeads; first += wave)
        {
            var units = Math.Min(wave, sizes.CellHeads - first);
            var sums = default(KernelArguments);
            sums.Add(scratch.Parts).Add(operation.DOut).Add(operation.Q).Add(scratch.Statistics).Add(operation.Projection)
                .Add(first).Add(units).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale);
            device.Launch(program, "favor_query_sums", Grids.BlockEach((long)units * sizes.Splits * geometry.KeyGroups * geometry.ValueChunks, geometry.KeyRows), sums);

            var merge = default(KernelArguments);
            merge.Add(scratch.DSums).Add(scratch.DNormalisers).Add(scratch.Parts).Add(first).Add(units).Add(sizes.Tokens);
            device.Launch(program, "favor_merge_queries", Grids.BlockEach((long)units * geometry.MergeBlocks, FavorGeometry.MergeThreads), merge);
        }

        Totals(scratch.DTotals, scratch.DSums, scratch.DNormalisers);
        var keys = default(KernelArguments);
        keys.Add(operation.DK).Add(operation.DV).Add(scratch.DSums).Add(scratch.DNormalisers).Add(scratch.DTotals).Add(state.MeanValues)
            .Add(state.KeyMaximum).Add(state.KeyMaximumAt).Add(operation.K).Add(operation.V).Add(operation.Projection)
            .Add(sizes.CellHeads).Add(sizes.CellHeads / sizes.Maxima).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.SquaredScale);
        device.Launch(program, "favor_key_gradients", Grids.BlockEach(tokenBlocks, FavorGeometry.TokenRows), keys);

        void Totals(nint totals, nint sums, nint normalisers)
        {
            var arguments = default(KernelArguments);
            arguments.Add(totals).Add(sums).Add(normalisers).Add(sizes.CellHeads);
            device.Launch(program, "favor_total_sums", Grids.BlockEach(sizes.CellHeads, FavorGeometry.TotalThreads), arguments);
        }
    }

    /// <summary>Floats of scratch.</summary>
    public static long ScratchFloats(FavorSizes sizes) => new Scratch(0, sizes, new FavorGeometry(sizes.HeadWidth, sizes.Features)).Floats;

    // Sums of a wave's splits; three numbers a query; of every head dS, dz and the totals over the features of S' and z, and of dS and dz.
    private readonly struct Scratch(nint memory, FavorSizes sizes, FavorGeometry geometry)
    {
        private long PartFloats => (long)FavorGeometry.WaveUnits(sizes) * sizes.Splits * geometry.QueryPartFloats;

        private long StatisticFloats => 3L * sizes.CellHeads * sizes.Tokens;

        private long NormaliserFloats => (long)sizes.CellHeads * geometry.Features;

        private long SumFloats => NormaliserFloats * geometry.HeadWidth;

        private long TotalFloats => (long)sizes.CellHeads * (geometry.HeadWidth + 1);

        public long Floats => PartFloats + StatisticFloats + SumFloats + NormaliserFloats + (2 * TotalFloats);

        public nint Parts => memory;

        public nint Statistics => At(PartFloats);

        public nint DSums => At(PartFloats + StatisticFloats);

        public nint DNormalisers => At(PartFloats + StatisticFloats + SumFloats);

        public nint Totals => At(PartFloats + StatisticFloats + SumFloats + NormaliserFloats);

        public nint DTotals => At(PartFloats + StatisticFloats + SumFloats + NormaliserFloats + TotalFloats);

        private nint At(long floats) => memory + (nint)(floats * sizeof(float));
    }
}
