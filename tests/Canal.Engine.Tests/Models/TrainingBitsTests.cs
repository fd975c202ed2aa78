using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;

namespace Canal.Engine.Tests.Models;

/// <summary>The bits of predictions and training steps depend on the seed and the cells alone.</summary>
public sealed class TrainingBitsTests : IDisposable
{
    private const int Cells = TrainingJob.Cells, Types = TrainingJob.Types;
    private static readonly EncoderPass Pass = new(Cells);
    private readonly CpuDevice device = new(new CpuOptions());

    public void Dispose() => device.Dispose();

    [Theory]
    [InlineData(TrainableSet.LastButOne)]
    [InlineData(TrainableSet.All)]
    public void Recomputation_changes_no_bit(TrainableSet set)
    {
        Assert.Equal(Run(set, recompute: false), Run(set, recompute: true));

        float[] Run(TrainableSet set, bool recompute)
        {
            using var own = new CpuDevice(new CpuOptions());
            using var job = new TrainingJob(own, set) { Recompute = recompute };
            for (var step = 0; step < 3; step++) job.Step();
            return job.Everything();
        }
    }

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

    [Fact]
    public void Fused_blocks_change_no_bit()
    {
        using var job = new TrainingJob(device, TrainableSet.None);
        using var fused = new Tape(device);
        using var apart = new Tape(device) { FusesBlocks = false };
        Assert.Equal(device.Read<float>(job.Model.Forward(apart, job.Tokens, Pass).Logits.Value), device.Read<float>(job.Model.Forward(fused, job.Tokens, Pass).Logits.Value));
    }

    [Fact]
    public void A_cell_alone_or_in_any_batch_gets_the_same_bits()
    {
        using var job = new TrainingJob(device, TrainableSet.None);
        using var tape = Tape.ForInference(device);
        var together = device.Read<float>(job.Model.Forward(tape, job.Tokens, Pass).Logits.Value);
        for (var cell = 0; cell < Cells; cell++)
        {
            var alone = device.Read<float>(job.Model.Forward(tape, job.Tokens.Slice(cell, 1), new EncoderPass(1)).Logits.Value);
            Assert.Equal(together[(cell * Types)..((cell + 1) * Types)], alone);
        }
    }

    [Fact]
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
