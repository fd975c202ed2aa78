using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>The bits of predictions and training steps depend on the seed and the cells alone.</summary>
public abstract class TrainingBitsTests(Func<Device> open) : IDisposable
{
    private const int Cells = TrainingJob.Cells, Types = TrainingJob.Types;
    private static readonly EncoderPass Pass = new(Cells);
    private readonly Device device = open();

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableTheory]
    [InlineData(TrainableSet.LastButOne)]
    [InlineData(TrainableSet.All)]
    public void Recomputation_changes_no_bit(TrainableSet set)
    {
        Assert.Equal(Run(set, recompute: false), Run(set, recompute: true));

        float[] Run(TrainableSet set, bool recompute)
        {
            using var own = open();
            using var job = new TrainingJob(own, set) { Recompute = recompute };
            for (var step = 0; step < 3; step++) job.Step();
            return job.Everything();
        }
    }

    [SkippableFact]
    public void Fused_blocks_change_no_bit()
    {
        using var job = new TrainingJob(device, TrainableSet.None);
        using var fused = Tape.ForInference(device);
        using var apart = new Tape(device) { FusesBlocks = false };
        var expected = device.Read<float>(job.Model.Forward(fused, job.Tokens, Pass).Logits.Value);
        Assert.Equal(expected, device.Read<float>(job.Model.Forward(apart, job.Tokens, Pass).Logits.Value));
        // In place: the result takes the memory of the input.
        var (x, y) = (job.Model.Encoder.Embed(fused, job.Tokens), job.Model.Encoder.Embed(fused, job.Tokens));
        var type = fused.ActivationType(depends: false);
        device.Run(job.Model.Encoder.Blocks[0].Fused(y.Value, x.Value, Pass, type));
        device.Run(job.Model.Encoder.Blocks[0].Fused(x.Value, x.Value, Pass, type));
        Assert.Equal(device.Read<float>(y.Value), device.Read<float>(x.Value));
    }

    [SkippableFact]
    public void A_cell_alone_or_in_any_batch_gets_the_same_bits()
    {
        using var job = new TrainingJob(device, TrainableSet.None);
        using var tape = Tape.ForInference(device);
        var together = device.Read<float>(job.Model.Forward(tape, job.Tokens, Pass).Logits.Value);
        foreach (var size in (int[])[1, 2])
        {
            for (var cell = 0; cell + size <= Cells; cell += size)
            {
                var few = device.Read<float>(job.Model.Forward(tape, job.Tokens.Slice(cell, size), new EncoderPass(size)).Logits.Value);
                Assert.Equal(together[(cell * Types)..((cell + size) * Types)], few);
            }
        }
        const int usual = 14;
        var many = device.Allocate(DType.UInt8, new Shape(usual, job.Tokens.Shape[1]));
        for (var i = 0; i < usual; i++) device.Copy(many.Slice(i, 1), job.Tokens.Slice(i % Cells, 1));
        var all = device.Read<float>(job.Model.Forward(tape, many, new EncoderPass(usual)).Logits.Value);
        for (var i = 0; i < usual; i++)
        {
            var cell = i % Cells;
            Assert.Equal(together[(cell * Types)..((cell + 1) * Types)], all[(i * Types)..((i + 1) * Types)]);
        }
        many.Storage.Dispose();
    }

    [SkippableFact]
    public void A_cached_prefix_changes_no_bit()
    {
        using var job = new TrainingJob(device, TrainableSet.LastButOne);
        using var cached = new TrainingJob(device, TrainableSet.LastButOne);
        var frozen = job.Model.Encoder.FrozenBlocks;
        Assert.Equal(2, frozen);
        using var once = Tape.ForInference(device);
        var embedded = cached.Model.Encoder.Embed(once, cached.Tokens);
        cached.Prefix = cached.Model.Encoder.RunBlocks(once, embedded, Pass, 0, frozen).Value;
        for (var step = 0; step < 3; step++)
        {
            job.Step();
            cached.Step();
        }
        Assert.Equal(job.Everything(), cached.Everything());
    }
}

/// <summary>On the processor: threads and vector width as well.</summary>
public sealed class CpuTrainingBitsTests() : TrainingBitsTests(() => new CpuDevice(new CpuOptions()))
{
    [Fact]
    public void Threads_and_vector_width_change_no_bit()
    {
        var expected = Run(new CpuOptions { Threads = 1 });
        foreach (var threads in (int[])[2, 3, 7]) Assert.Equal(expected, Run(new CpuOptions { Threads = threads }));
        foreach (var bits in (int[])[256, 128]) Assert.Equal(expected, Run(new CpuOptions { VectorBits = bits }));

        static float[] Run(CpuOptions options)
        {
            using var own = new CpuDevice(options);
            using var job = new TrainingJob(own, TrainableSet.All);
            for (var step = 0; step < 3; step++) job.Step();
            return job.Everything();
        }
    }
}

/// <summary>On the CUDA device, emulated: float32.</summary>
public sealed class EmulatedTrainingBitsTests() : TrainingBitsTests(() => TestDevices.Emulated(CudaPrecision.Fp32));

/// <summary>On the CUDA device, emulated: bfloat16.</summary>
public sealed class EmulatedBf16TrainingBitsTests() : TrainingBitsTests(() => TestDevices.Emulated(CudaPrecision.Bf16));

/// <summary>On the CUDA device, emulated: float16 in inference and frozen parts, float32 in training.</summary>
public sealed class EmulatedF16TrainingBitsTests() : TrainingBitsTests(() => TestDevices.Emulated(CudaPrecision.F16));

/// <summary>On the CUDA device, on a card: float32.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverTrainingBitsTests() : TrainingBitsTests(() => CardForTests.Open(CudaPrecision.Fp32));

/// <summary>On the CUDA device, on a card: bfloat16.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverBf16TrainingBitsTests() : TrainingBitsTests(() => CardForTests.Open(CudaPrecision.Bf16));

/// <summary>On the CUDA device, on a card: float16 in inference and frozen parts, float32 in training.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverF16TrainingBitsTests() : TrainingBitsTests(() => CardForTests.Open(CudaPrecision.F16));
