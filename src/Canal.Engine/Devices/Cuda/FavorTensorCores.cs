using System.Globalization;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// FAVOR+ on tensor cores (kernels/favor_tensor*.cu): activations of one half precision type, heads of width 64, the key maximum a cell. The state
/// between the passes is the operations' own, in float32, so that either pass may run elsewhere.
/// </summary>
internal static class FavorTensorCores
{
    private const int HeadWidth = 64, MostFeatures = 512;
    private const int SumThreads = 256, MergeThreads = 256, TokenThreads = 128, QueryTokens = 128, KeyTokens = 64;

    // Many more than run at once, so that blocks of unequal length level out.
    private const int BlocksPerMultiprocessor = 64;

    // Largest magnitude of S' and of dS in halves, as a power of two. Queries: far above the smallest halves, and sums of 2^8 w are float32. Keys:
    // dS (v - v0) is scaled row by row before it is a half again.
    private const int SumsTarget = 12, GradientTarget = 0;

    private static readonly KernelNames ProjectionKernel = new("favor_tensor_projection");
    private static readonly KernelNames HalvesKernel = new("favor_tensor_halves");
    private static readonly KernelNames KeySumsKernel = new("favor_tensor_key_sums");
    private static readonly KernelNames QueriesKernel = new("favor_tensor_queries");
    private static readonly KernelNames QueryGradientsKernel = new("favor_tensor_query_gradients");
    private static readonly KernelNames QuerySumsKernel = new("favor_tensor_query_sums");
    private static readonly KernelNames KeyGradientsKernel = new("favor_tensor_key_gradients");

    /// <summary>Whether activations of a type and these sizes run on tensor cores, where the architecture has them.</summary>
    public static bool Fits(DType type, FavorSizes sizes) =>
        type is DType.Float16 or DType.BFloat16 && sizes.HeadWidth == HeadWidth && sizes.Features is > 0 and <= MostFeatures
        && sizes.Scope == KeyMaximumScope.Cell && sizes.Tokens <= int.MaxValue / FavorTensorScratch.FeatureRows(MostFeatures);

    /// <summary>Whether they do on an architecture (compute capability times ten): float16 from 7.5, bfloat16 from 8.0.</summary>
    public static bool Fits(DType type, FavorSizes sizes, int architecture) => Fits(type, sizes) && architecture >= (type == DType.Float16 ? 75 : 80);

    /// <summary>Bytes of scratch of the forward pass; 0 where it does not fit.</summary>
    public static nuint ForwardScratch(DType type, FavorSizes sizes) => Fits(type, sizes) ? FavorTensorScratch.Forward(sizes).Bytes : 0;

    /// <summary>Bytes of scratch of the backward pass; 0 where it does not fit.</summary>
    public static nuint BackwardScratch(DType type, FavorSizes sizes) => Fits(type, sizes) ? FavorTensorScratch.Backward(sizes).Bytes : 0;

    /// <summary>Runs the forward pass.</summary>
    /// <exception cref="NotSupportedException">It does not fit.</exception>
    /// <exception cref="ArgumentException">Activations are not aligned to 16 bytes.</exception>
    public static void Forward(in FavorForward operation, CudaDevice device)
    {
        var (sizes, type) = (operation.Sizes, operation.Q.Type);
        Require(FavorForward.Name, type, sizes, device);
        RequireRows(FavorForward.Name, operation.Q, nameof(operation.Q));
        RequireRows(FavorForward.Name, operation.K, nameof(operation.K));
        RequireRows(FavorForward.Name, operation.V, nameof(operation.V));
        RequireRows(FavorForward.Name, operation.Out, nameof(operation.Out));
        if (operation.Out.Count == 0) return;
        var (at, state) = (FavorTensorScratch.Forward(sizes), operation.State);
        var launch = new Launches(device, device.OperationScratch, at, sizes, type);
        launch.Projection(operation.Projection);

        var arguments = default(KernelArguments);
        launch.Add(ref arguments, at.Sums, at.Extra, at.Reference, at.Maximum, at.MaximumAt);
        arguments.Add(operation.K).Add(operation.V);
        launch.Add(ref arguments, at.Projection);
        launch.Run(KeySumsKernel, SumThreads, launch.Parts, ref arguments);

        arguments = default;
        arguments.Add(state.Sums).Add(state.Normalisers).Add(state.MeanValues).Add(state.KeyMaximum).Add(state.KeyMaximumAt).Add(operation.Guard);
        launch.Add(ref arguments, at.Sums, at.Extra, at.Reference, at.Maximum, at.MaximumAt);
        arguments.Add(sizes.Cells).Add(sizes.Heads).Add(sizes.Tokens).Add(FavorTensorScratch.Groups(sizes.Features));
        launch.Run("favor_tensor_merge_keys", MergeThreads, launch.FeatureTiles, arguments);

        launch.Halves(state.Sums.Address, state.Normalisers.Address, 1f / sizes.Tokens, SumsTarget);

        arguments = default;
        arguments.Add(operation.Out).Add(operation.Guard).Add(operation.Q);
        launch.Add(ref arguments, at.Projection, at.Halves, at.PaddedNormalisers, at.Totals, at.Scalars);
        arguments.Add(state.MeanValues);
        launch.Run(QueriesKernel, TokenThreads, launch.Blocks(QueryTokens), ref arguments);
    }

    /// <summary>Runs the backward pass.</summary>
    /// <exception cref="NotSupportedException">It does not fit.</exception>
    /// <exception cref="ArgumentException">Activations are not aligned to 16 bytes.</exception>
    public static void Backward(in FavorBackward operation, CudaDevice device)
    {
        var (sizes, type) = (operation.Sizes, operation.Q.Type);
        Require(FavorBackward.Name, type, sizes, device);
        RequireRows(FavorBackward.Name, operation.Q, nameof(operation.Q));
        RequireRows(FavorBackward.Name, operation.K, nameof(operation.K));
        RequireRows(FavorBackward.Name, operation.V, nameof(operation.V));
        RequireRows(FavorBackward.Name, operation.DOut, nameof(operation.DOut));
        RequireRows(FavorBackward.Name, operation.DQ, nameof(operation.DQ));
        RequireRows(FavorBackward.Name, operation.DK, nameof(operation.DK));
        RequireRows(FavorBackward.Name, operation.DV, nameof(operation.DV));
        if (operation.DQ.Count == 0) return;
        var (at, state) = (FavorTensorScratch.Backward(sizes), operation.State);
        var launch = new Launches(device, device.OperationScratch, at, sizes, type);
        launch.Projection(operation.Projection);
        launch.Halves(state.Sums.Address, state.Normalisers.Address, 1f / sizes.Tokens, SumsTarget);

        var arguments = default(KernelArguments);
        arguments.Add(operation.DQ);
        launch.Add(ref arguments, at.Exponent, at.Own, at.Deviation);
        arguments.Add(operation.Q).Add(operation.DOut);
        launch.Add(ref arguments, at.Projection, at.Halves, at.PaddedNormalisers, at.Totals, at.Scalars);
        launch.Run(QueryGradientsKernel, TokenThreads, launch.Blocks(QueryTokens), ref arguments);

        arguments = default;
        launch.Add(ref arguments, at.Sums, at.Extra, at.Reference);
        arguments.Add(operation.Q).Add(operation.DOut);
        launch.Add(ref arguments, at.Projection, at.Exponent, at.Own, at.Deviation);
        launch.Run(QuerySumsKernel, SumThreads, launch.Parts, ref arguments);

        arguments = default;
        launch.Add(ref arguments, at.DSums, at.DNormalisers, at.Sums, at.Extra, at.Reference);
        arguments.Add(sizes.Cells).Add(sizes.Heads).Add(sizes.Tokens);
        launch.Run("favor_tensor_merge_queries", MergeThreads, launch.FeatureTiles, arguments);

        launch.Halves(launch.Address(at.DSums), launch.Address(at.DNormalisers), 1, GradientTarget);

        arguments = default;
        arguments.Add(operation.DK).Add(operation.DV).Add(operation.K).Add(operation.V);
        launch.Add(ref arguments, at.Projection, at.Halves, at.PaddedNormalisers, at.Totals, at.Scalars);
        arguments.Add(state.MeanValues).Add(state.KeyMaximum).Add(state.KeyMaximumAt);
        launch.Run(KeyGradientsKernel, TokenThreads, launch.Blocks(KeyTokens), ref arguments);
    }

    private static void Require(string name, DType type, FavorSizes sizes, CudaDevice device)
    {
        if (Fits(type, sizes, device.Runtime.Architecture)) return;
        throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture,
            $"{name}: tensor cores of compute capability {device.Runtime.Architecture / 10}.{device.Runtime.Architecture % 10} do not run {type} with heads of width {sizes.HeadWidth}, {sizes.Features} features and the key maximum a {sizes.Scope}."));
    }

    // Rows are 128 bytes times the heads: where the first is aligned, all are.
    private static void RequireRows(string name, Tensor tensor, string argument)
    {
        if (tensor.Count > 0 && tensor.Address % 16 != 0)
        {
            throw new ArgumentException($"{name}: {argument} begins {tensor.Address % 16} bytes behind a multiple of 16; tensor cores copy 16 bytes at a time. Give it memory of its own, or a slice of whole rows.");
        }
    }

    // What all launches of one operation share.
    private readonly ref struct Launches(CudaDevice device, nint scratch, FavorTensorScratch at, FavorSizes sizes, DType type)
    {
        private readonly KernelProgram program = KernelPrograms.FavorTensor(sizes.Features);

        private long Units => (long)sizes.Cells * sizes.Heads;

        public long Parts => Units * FavorTensorScratch.Splits(sizes) * FavorTensorScratch.Groups(sizes.Features);

        public long FeatureTiles => Units * (FavorTensorScratch.FeatureRows(sizes.Features) / 16);

        public long Blocks(int tokens) => Units * ((sizes.Tokens + tokens - 1) / tokens);

        public nint Address(nint offset) => scratch + offset;

        public void Add(ref KernelArguments arguments, params ReadOnlySpan<nint> offsets)
        {
            foreach (var offset in offsets) arguments.Add(scratch + offset);
        }

        // P' = c log2(e) P in halves.
        public void Projection(Tensor projection)
        {
            var arguments = default(KernelArguments);
            Add(ref arguments, at.Projection);
            arguments.Add(projection).Add((float)(Math.Pow(sizes.HeadWidth, -0.25) * Math.Log2(Math.E)));
            Run(ProjectionKernel.For(type), MergeThreads, (FavorTensorScratch.FeatureRows(sizes.Features) * HeadWidth + MergeThreads - 1) / MergeThreads, arguments);
        }

        // The operand that queries or keys are multiplied with, in halves.
        public void Halves(nint sums, nint normalisers, float factor, int target)
        {
            var arguments = default(KernelArguments);
            Add(ref arguments, at.Halves, at.PaddedNormalisers, at.Totals, at.Scalars);
            arguments.Add(sums).Add(normalisers).Add(checked((int)Units)).Add(factor).Add(target);
            Run(HalvesKernel.For(type), MergeThreads, Units, arguments);
        }

        public void Run(KernelNames kernel, int threads, long blocks, ref KernelArguments arguments)
        {
            arguments.Add(sizes.Cells).Add(sizes.Heads).Add(sizes.Tokens);
            Run(kernel.For(type), threads, blocks, arguments);
        }

        public void Run(string kernel, int threads, long blocks, scoped in KernelArguments arguments) =>
            device.Launch(program, kernel, new LaunchShape((int)Math.Min(blocks, (long)BlocksPerMultiprocessor * device.Runtime.Multiprocessors), threads), arguments);
    }
}
