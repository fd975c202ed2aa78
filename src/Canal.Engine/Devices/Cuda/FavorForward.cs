using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// FAVOR+ forward in float32 arithmetic (favor_keys.cu, favor_totals.cu, favor_queries.cu): sums over keys by split in waves of bounded memory, merged in order; the key
/// maximum; S' and z scaled to it; queries. Where tensor cores fit, they run it all.
/// </summary>
internal static class FavorForwardLaunches
{
    public static void Run(in FavorForward operation, CudaDevice device)
    {
        var sizes = operation.Sizes;
        if (FavorTensorCores.Fits(operation.Q.Type, sizes, device.Runtime.Architecture))
        {
            FavorTensorCores.Forward(operation, device);
            return;
        }
        if (operation.Out.Count == 0) return;
        var geometry = new FavorGeometry(sizes.HeadWidth, sizes.Features);
        var program = KernelPrograms.Favor(FavorPass.Forward, sizes.HeadWidth, sizes.Features, operation.Q.Type);
        var scratch = new Scratch(device.OperationScratch, sizes, geometry);
        var state = operation.State;
        var wave = FavorGeometry.WaveUnits(sizes);
        for (var first = 0; first < sizes.CellHeads; first += wave)
        {
            var units = Math.Min(wave, sizes.CellHeads - first);
            var keys = default(KernelArguments);
            keys.Add(scratch.Parts).Add(operation.K).Add(operation.V).Add(operation.Projection)
                .Add(first).Add(units).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.HalfSquaredScale);
            device.Launch(program, "favor_key_sums", Grids.BlockEach((long)units * sizes.Splits * geometry.KeyGroups * geometry.ValueChunks, geometry.KeyRows), keys);

            var merge = default(KernelArguments);
            merge.Add(state.Sums).Add(state.Normalisers).Add(state.MeanValues).Add(scratch.References).Add(scratch.Tops).Add(scratch.Places)
                .Add(scratch.Parts).Add(first).Add(units).Add(sizes.Tokens);
            device.Launch(program, "favor_merge_keys", Grids.BlockEach((long)units * geometry.MergeBlocks, FavorGeometry.MergeThreads), merge);
        }

        var maximum = default(KernelArguments);
        maximum.Add(state.KeyMaximum).Add(state.KeyMaximumAt).Add(scratch.Tops).Add(scratch.Places)
            .Add(sizes.Maxima).Add(sizes.Cells / sizes.Maxima).Add(sizes.Heads);
        device.Launch(program, "favor_key_maximum", Grids.BlockEach(sizes.Maxima, FavorGeometry.TotalThreads), maximum);

        var scale = default(KernelArguments);
        scale.Add(scratch.Totals).Add(state.Sums).Add(state.Normalisers).Add(scratch.References).Add(state.KeyMaximum)
            .Add(sizes.CellHeads).Add(sizes.CellHeads / sizes.Maxima).Add(sizes.Tokens);
        device.Launch(program, "favor_scale_sums", Grids.BlockEach(sizes.CellHeads, FavorGeometry.TotalThreads), scale);

        var queries = default(KernelArguments);
        queries.Add(operation.Out).Add(state.Sums).Add(state.Normalisers).Add(state.MeanValues).Add(scratch.Totals).Add(operation.Q).Add(operation.Projection)
            .Add(sizes.CellHeads).Add(sizes.Heads).Add(sizes.Tokens).Add(geometry.Scale).Add(geometry.HalfSquaredScale);
        device.Launch(program, "favor_queries",
            Grids.BlockEach((long)sizes.CellHeads * FavorGeometry.TokenBlocks(sizes) * geometry.ValueChunks, FavorGeometry.TokenRows), queries);
    }

    /// <summary>Floats of scratch.</summary>
    public static long ScratchFloats(FavorSizes sizes) => new Scratch(0, sizes, new FavorGeometry(sizes.HeadWidth, sizes.Features)).Floats;

    // Sums of a wave's splits; of every head and feature its reference, largest projection and that one's token; totals of every head.
    private readonly struct Scratch(nint memory, FavorSizes sizes, FavorGeometry geometry)
    {
        private long PartFloats => (long)FavorGeometry.WaveUnits(sizes) * sizes.Splits * geometry.PartFloats;

        private long FeatureFloats => (long)sizes.CellHeads * geometry.Features;

        public long Floats => PartFloats + (3 * FeatureFloats) + ((long)sizes.CellHeads * (geometry.HeadWidth + 1));

        public nint Parts => memory;

        public nint References => At(PartFloats);

        public nint Tops => At(PartFloats + FeatureFloats);

        public nint Places => At(PartFloats + (2 * FeatureFloats));

        public nint Totals => At(PartFloats + (3 * FeatureFloats));

        private nint At(long floats) => memory + (nint)(floats * sizeof(float));
    }
}
