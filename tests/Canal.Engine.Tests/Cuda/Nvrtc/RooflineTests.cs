using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;

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
