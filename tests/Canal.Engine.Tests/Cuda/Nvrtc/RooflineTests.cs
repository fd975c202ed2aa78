using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>The arithmetic behind the tables of kernels/README.md.</summary>
public sealed class RooflineTests
{
    // From the occupancy rules by hand: registers round up to 256 a warp, a scheduler has 16,384.
    [Theory]
    [InlineData(80, 256, 32, 0, 8)] // threads: 2,048 / 256
    [InlineData(80, 32, 16, 0, 32)] // blocks
    [InlineData(80, 256, 64, 0, 4)] // 2,048 a warp, 8 warps a scheduler
    [InlineData(80, 256, 65, 0, 3)] // 2,304 a warp, 7 a scheduler, 28 in all
    [InlineData(80, 256, 168, 0, 1)] // 5,376 a warp, 3 a scheduler, 12 in all
    [InlineData(80, 288, 168, 0, 1)] // nine warps take three of each scheduler
    [InlineData(80, 256, 168, 44032, 1)]
    [InlineData(80, 128, 64, 44032, 3)] // 45,056 with the system's part, of 167,936
    [InlineData(75, 128, 64, 44032, 1)]
    [InlineData(75, 256, 32, 0, 4)] // threads: 1,024 / 256
    [InlineData(75, 128, 64, 65536, 1)]
    [InlineData(75, 128, 64, 65537, 0)]
    [InlineData(90, 256, 64, 100000, 2)]
    [InlineData(86, 256, 32, 0, 6)]
    [InlineData(89, 64, 32, 0, 24)]
    [InlineData(70, 64, 32, 0, 32)]
    [InlineData(90, 1024, 65, 0, 0)] // 32 warps need 8 of each scheduler, it has room for 7
    public void Blocks_follow_from_threads_registers_and_shared_memory(int architecture, int threads, int registers, int shared, int expected) =>
        Assert.Equal(expected, Multiprocessor.Of(architecture).BlocksOf(threads, registers, shared));

    [Fact]
    public void Time_is_the_longest_of_memory_arithmetic_and_exponentials()
    {
        static OperationRun Run(long bytes, long flops, long exponentials, Arithmetic arithmetic = Arithmetic.Float32) =>
            new() { Name = "", Size = "", Bytes = bytes, Flops = flops, Exponentials = exponentials, Arithmetic = arithmetic };
        var card = Card.H200;
        Assert.Equal(1, card.Seconds(Run(4_800_000_000_000, 1000, 1000)), 1e-12);
        Assert.Equal(1, card.Seconds(Run(1000, 67_000_000_000_000, 1000)), 1e-12);
        Assert.Equal(1, card.Seconds(Run(1000, 989_000_000_000_000, 1000, Arithmetic.TensorHalf)), 1e-12);
        Assert.Equal(1, card.Seconds(Run(1000, 494_000_000_000_000, 1000, Arithmetic.TensorTf32)), 1e-12);
        Assert.Equal(1, card.Seconds(Run(1000, 1000, 16L * 132 * 1_980_000_000)), 1e-12);
    }

    [Fact]
    public void Shares_are_read_from_headers_across_lines()
    {
        const string Header = """
            // a.cu: a kernel
            // Work     8 FEATURE_ROWS 64 FLOP a token. Prediction, never measured: 45 to 55 % of the dense f16
            //          rate on A100, 25 to 30 % of what mma.sync reaches on H200, whose shared memory binds.
            #include "common.cuh"
            """;
        var header = HeaderPrediction.Parse(Header);
        Assert.Equal(new HeaderPrediction(8, (0.45, 0.55), (0.25, 0.30)), header);
        Assert.Equal((0.63 * 0.25, 0.63 * 0.30), header!.On(Card.H200));
        Assert.Null(header.On(Card.T4));
        Assert.Null(HeaderPrediction.Parse("// Work     2 FLOP a number read\n#include \"common.cuh\""));
    }

    // By hand: 10 tokens and heads of 31 features are 320 rows of 64 channels; keys and queries work 4 each at 55 to 65 and 60 to 70 % of 312 TFLOP/s.
    [SkippableFact]
    public void Attention_is_expected_at_the_shares_of_its_kernels_headers()
    {
        Skip.If(Repository.Root is null, "The tests run without the kernels' sources.");
        static OperationRun Run(params string[] kernels)
        {
            var run = new OperationRun
            {
                Name = "", Size = "", Bytes = 0, Flops = 0, Exponentials = 0, Arithmetic = Arithmetic.TensorHalf, Attention = new FavorSizes(1, 5, 2, 64, 31, KeyMaximumScope.Cell),
            };
            run.Launches.AddRange(kernels.Select(kernel => new KernelLaunch(KernelPrograms.FavorTensor(31), kernel, default)));
            return run;
        }
        var seconds = 4 * 320 * 64 / 312e12;
        var expected = Expectation.Of(Run("favor_tensor_key_sums_bf16", "favor_tensor_merge_keys", "favor_tensor_queries_bf16", "favor_tensor_queries_bf16"), Card.A100)!.Value;
        Assert.Equal((seconds / 0.65) + (seconds / 0.70), expected.Shortest, 1e-20);
        Assert.Equal((seconds / 0.55) + (seconds / 0.60), expected.Longest, 1e-20);
        Assert.Null(Expectation.Of(Run("favor_tensor_queries_f16"), Card.T4));
        Assert.Null(Expectation.Of(Run("favor_tensor_merge_keys"), Card.A100));
        var kernelsOfBackward = new[] { "favor_tensor_query_gradients_bf16", "favor_tensor_query_sums_bf16", "favor_tensor_key_gradients_bf16" };
        Assert.All(kernelsOfBackward, kernel => Assert.NotNull(HeaderPrediction.Of(kernel)));
    }

    [Fact]
    public void Every_operation_is_on_the_tour()
    {
        // A card runs an encoder block as its parts.
        var toured = new[] { EncoderBlockForward.Name }.Concat(CudaPrecision.All.SelectMany(precision => new ScBertTour(90, precision, multiprocessors: 132).All).Select(run => run.Name)).ToHashSet();
        var operations = typeof(IOperation).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOperation)));
        var missing = operations.Select(type => (string)type.GetProperty(nameof(IOperation.Name))!.GetValue(null)!).Where(name => !toured.Contains(name)).ToList();
        Assert.True(missing.Count == 0, $"ScBertTour.Others does not run {string.Join(", ", missing)}: without that, kernels/README.md cannot tell their kernels.");
    }

    [Theory]
    [InlineData(999.4, "999 ns")]
    [InlineData(999.6, "1.00 µs")]
    [InlineData(12_345, "12.3 µs")]
    [InlineData(1_234_000_000, "1.23 s")]
    public void Times_have_three_digits(double nanoseconds, string expected) => Assert.Equal(expected, Units.Time(nanoseconds * 1e-9));
}
