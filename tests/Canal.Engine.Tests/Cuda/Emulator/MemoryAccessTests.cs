using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Conformance;
using Canal.Engine.Tests.Favor;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>
/// What the kernels' loads and stores would cost a card, counted on the emulator: the share of touched 32-byte sectors that is needed, request by
/// request, and what bank conflicts add. Counts do not flicker, so they are asserted; times on a card are another matter.
/// </summary>
public sealed class MemoryAccessTests
{
    private const double LeastEfficiency = 0.95, MostConflicts = 0.05;

    // Fewer requests are edges of tiles and not the kernel's way of reading.
    private const int EnoughRequests = 64;

    // Kernels that are known to do worse, with what they are held to.
    private static readonly Dictionary<string, (double Efficiency, double Conflicts)> Known = new(StringComparer.Ordinal)
    {
        // Eight float32 of a thread are two loads of 16 bytes, 32 bytes apart from lane to lane: each touches every sector and takes half.
        ["add_f32"] = (0.50, 0),
        ["fill_f32"] = (0.49, 0),
        ["convert_f32_f32"] = (0.50, 0),
        ["convert_f32_f16"] = (0.59, 0),
        ["convert_f32_bf16"] = (0.59, 0),
        ["convert_f16_f32"] = (0.59, 0),
        ["convert_bf16_f32"] = (0.59, 0),
        ["relu_forward_f32"] = (0.50, 0),
        ["relu_backward_f32"] = (0.50, 0),
        ["gelu_forward_f32"] = (0.50, 0),
        ["gelu_backward_f32"] = (0.50, 0),
        ["broadcast_bias_f32"] = (0.50, 0),

        // The same loads of a float32 bias beside half precision.
        ["broadcast_bias_f16"] = (0.60, 0),
        ["broadcast_bias_bf16"] = (0.60, 0),
        ["gelu_forward_f16"] = (0.83, 0),
        ["gelu_forward_bf16"] = (0.83, 0),
        ["gelu_backward_f16"] = (0.87, 0),
        ["gelu_backward_bf16"] = (0.87, 0),

        // Rows of 200 halves begin in the middle of a sector.
        ["column_sum_f16"] = (0.73, 0),
        ["column_sum_bf16"] = (0.73, 0),
        ["head_filter_forward_f16"] = (0.93, 0),
        ["head_filter_forward_bf16"] = (0.93, 0),
        ["head_filter_backward_f16"] = (0.83, 0),
        ["head_filter_backward_bf16"] = (0.83, 0),
        ["layer_norm_backward_f16"] = (0.94, 0),
        ["layer_norm_backward_bf16"] = (0.94, 0),

        // Short rows that begin anywhere: cell types, genes of a cell, prototypes.
        ["bin_counts"] = (0.74, 0),
        ["cross_entropy_forward"] = (0.72, 0),
        ["cross_entropy_backward"] = (0.84, 0),
        ["prediction"] = (0.83, 0),
        ["manifold_mixing"] = (0.83, 0),

        // Attention in float32: pieces of 16 bytes of several tokens at once; features that are no multiple of a sector.
        ["favor_key_sums"] = (0.75, 0.06),
        ["favor_queries"] = (0.79, 0.06),
        ["favor_total_sums"] = (0.88, 0),
        ["favor_key_gradients"] = (0.75, 0.06),
        ["favor_query_gradients"] = (0.81, 0.08),
        ["favor_query_sums"] = (0.69, 0.06),
        ["favor_merge_queries"] = (0.74, 0),
    };

    [SkippableFact]
    public void SectorsAreUsedAndBanksAreFree()
    {
        EmulatedRuntime.Require();
        var counts = new SortedDictionary<string, AccessCounts>(StringComparer.Ordinal);
        foreach (var operation in TypicalCases())
        {
            Count(counts, device =>
            {
                using var run = new CaseRun(operation, device, aligned: true);
                run.RunOnly();
            });
        }
        Count(counts, RunAttention);
        var worse = counts.Where(pair => pair.Value.GlobalRequests >= EnoughRequests).Where(pair => !IsWithinBounds(pair.Key, pair.Value)).Select(pair => string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"{pair.Key}: {pair.Value.SectorEfficiency:f3} of the sectors needed, {pair.Value.ConflictsPerWavefront:f3} conflicts a wavefront"));
        Assert.True(!worse.Any(), string.Join('\n', worse));
        Assert.Contains("layer_norm_forward_f32", counts.Keys);
    }

    /// <summary>The counters themselves, on kernels whose requests are known.</summary>
    [SkippableTheory]
    [InlineData("consecutive", 1, 4, 4, 1, 1)]
    [InlineData("strided", 1, 32, 4, 1, 1)]
    [InlineData("column_of_square", 1, 4, 4, 32, 1)]
    [InlineData("padded_column", 1, 4, 4, 1, 1)]
    [InlineData("sixteen_bytes", 1, 16, 16, 4, 4)]
    public void RequestsAreCounted(string kernel, int requests, int sectors, int idealSectors, int wavefronts, int idealWavefronts)
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun(new EmulatorOptions { Counts = true });
        var arguments = default(KernelArguments);
        arguments.Add(run.Upload(new float[32 * 32]));
        run.Launch(kernel, new LaunchShape(1, 32), arguments);
        var counts = run.Runtime.AccessCounts[kernel];
        Assert.Equal((requests, sectors, idealSectors), (counts.GlobalRequests, counts.GlobalSectors, counts.IdealGlobalSectors));
        Assert.Equal((2, 2 * wavefronts, 2 * idealWavefronts), (counts.SharedRequests, counts.SharedWavefronts, counts.IdealSharedWavefronts));
    }

    // A case for each operation and element type: the largest of moderate size, with rows of whole sectors where there is one.
    private static IEnumerable<OperationCase> TypicalCases()
    {
        const long most = 60_000;
        return OperationCases.All.Where(c => CudaDevice.Implements(c.Operation) && Elements(c) < most)
            .GroupBy(c => (c.Operation, string.Join(',', c.Arguments.Select(a => a.Type))))
            .Select(group => group.OrderByDescending(HasWholeSectors).ThenByDescending(Elements).First());

        static long Elements(OperationCase c) => c.Arguments.Sum(a => a.Shape.Count);
        static bool HasWholeSectors(OperationCase c) => c.Arguments.Where(a => a.IsFloat && a.Shape.Rank > 1).All(a => a.Shape.Columns % 8 == 0);
    }

    // Both passes at the width and features of scBERT.
    private static void RunAttention(CudaDevice device)
    {
        var problem = FavorRun.Problem(new FavorSizes(1, 130, 1, 64, 266, KeyMaximumScope.Cell));
        var s = problem.Sizes;
        Tensor q = Upload(problem.Q, s.Rows), k = Upload(problem.K, s.Rows), v = Upload(problem.V, s.Rows), dOut = Upload(problem.DOut, s.Rows);
        var projection = Upload(problem.Projection, new Shape(s.Features, s.HeadWidth));
        var state = new FavorState(
            device.Allocate(new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth)), device.Allocate(new Shape(s.Cells, s.Heads, s.Features)),
            device.Allocate(new Shape(s.Cells, s.Heads, s.HeadWidth)), device.Allocate(new Shape(s.Maxima)), device.Allocate(DType.Int32, new Shape(s.Maxima, 4)));
        var output = device.Allocate(s.Rows);
        device.Run(new FavorForward(output, state, q, k, v, projection, s));
        device.Run(new FavorBackward(device.Allocate(s.Rows), device.Allocate(s.Rows), device.Allocate(s.Rows), dOut, output, state, q, k, v, projection, s));

        Tensor Upload(float[] values, Shape shape)
        {
            var tensor = device.Allocate(shape);
            device.Write<float>(tensor, values);
            return tensor;
        }
    }

    private static void Count(SortedDictionary<string, AccessCounts> counts, Action<CudaDevice> run)
    {
        using var runtime = new EmulatedRuntime(new EmulatorOptions { Counts = true });
        using (var device = new CudaDevice(runtime, new CudaOptions())) run(device);
        foreach (var (kernel, counted) in runtime.AccessCounts) counts[kernel] = counts.GetValueOrDefault(kernel) + counted;
    }

    private static bool IsWithinBounds(string kernel, AccessCounts counts)
    {
        var (efficiency, conflicts) = Known.GetValueOrDefault(kernel, (LeastEfficiency, MostConflicts));
        return counts.SectorEfficiency >= efficiency && counts.ConflictsPerWavefront <= conflicts;
    }
}
