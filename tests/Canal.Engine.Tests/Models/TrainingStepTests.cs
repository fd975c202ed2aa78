using Canal.Engine.Autograd;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>What a training step promises whatever the numbers: work, memory, allocations; and that it learns.</summary>
public sealed class TrainingStepTests : IDisposable
{
    private const int Cells = TrainingJob.Cells, Types = TrainingJob.Types, Manifold = CellTypeHead.ManifoldWidth, Representation = CellTypeHead.RepresentationWidth;
    private static readonly EncoderGeometry Geometry = TrainingJob.Geometry;
    private static readonly EncoderPass Pass = new(Cells);
    private readonly CpuDevice device = new(new CpuOptions());

    public void Dispose() => device.Dispose();

    [Fact]
    public void The_work_of_a_frozen_step_is_what_it_must_be()
    {
        using var job = new TrainingJob(device, TrainableSet.LastButOne);
        var before = device.FlopsRun;
        job.Step();
        long n = Cells * Geometry.Positions, c = Geometry.Width, i = Geometry.InnerWidth, f = Geometry.FeedForwardWidth;
        var attention = Geometry.Attention(Pass);
        long favor = FavorForward.Flops(attention), favorBackward = FavorBackward.Flops(attention);

        var forward = (n * c) // embedding
            + (2 * ((8 * n * c * i) + (4 * n * c * f) + (16 * n * c) + (20 * n * f) + favor)) // blocks 0 and 1, frozen: fused
            + (2 * ((8 * n * c * i) + (4 * n * c * f) + (16 * n * c) + (20 * n * f) + favor + (2 * n * c))) // blocks 2 and 3, with their two residual sums
            + (8 * n * c); // final norm
        var frozenBlock = (2 * 2 * n * c * f) + (20 * n * f) + (2 * 11 * n * c) + (4 * 2 * n * c * i) + favorBackward; // block 3: dx only
        var trainedBlock = (2 * 4 * n * c * f) + (n * c) + (n * f) + (20 * n * f) + (16 * n * c) // feed-forward: dW, db, dx; norm: dx, dgamma
            + (4 * 4 * n * c * i) + (n * c) + favorBackward + (5 * n * c); // attention: dW, db, dx; first norm: dgamma only
        var head = (2 * n * c) + (3 * n * c) + (16 * n * c) // filter, its backward pass, backward of the final norm
            + Dense(Geometry.Positions, Manifold) + Dense(Manifold, Representation) + Dense(Representation, Types)
            + (2 * Cells * (Manifold + Representation)) + (14 * Cells * Types); // rectifiers, cross-entropy
        var optimiser = 14 * job.Model.Parameters.Gradients.Count;

        Assert.Equal(forward + frozenBlock + trainedBlock + head + optimiser, device.FlopsRun - before);

        static long Dense(long inputs, long outputs) => (Cells * 6 * inputs * outputs) + (Cells * outputs);
    }

    [Theory]
    [InlineData(TrainableSet.LastButOne, false)]
    [InlineData(TrainableSet.All, false)]
    [InlineData(TrainableSet.All, true)]
    public void A_warm_step_allocates_nothing_and_leaks_nothing(TrainableSet set, bool recompute)
    {
        using var job = new TrainingJob(device, set) { Recompute = recompute };
        job.Step();
        var used = device.Memory.Used;
        job.Step();
        Assert.Equal(used, device.Memory.Used);
        for (var warming = 0; warming < 30; warming++) job.Step();
        var (managed, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
        for (var step = 0; step < 5; step++) job.Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - managed);
        Assert.Equal(blocks, device.Memory.SourceAllocations);
        Assert.Equal(used, device.Memory.Used);
    }

    [Fact]
    public void Nothing_is_recorded_and_nothing_kept_where_nothing_trains()
    {
        using var job = new TrainingJob(device, TrainableSet.None);
        using var tape = new Tape(device);
        job.Model.Forward(tape, job.Tokens, Pass);
        tape.Clear();
        var used = device.Memory.Used;
        var output = job.Model.Forward(tape, job.Tokens, Pass);
        Assert.Equal(0, tape.RecordedSteps);
        foreach (var variable in (Variable[])[output.Filtered, output.Manifold, output.Representation, output.Logits]) variable.Release();
        Assert.Equal(used, device.Memory.Used);
    }

    [Fact]
    public void The_backward_pass_returns_every_activation_as_it_goes()
    {
        using var job = new TrainingJob(device, TrainableSet.All);
        using var tape = new Tape(device);
        job.Step(); // The threads have set their scratch aside.
        var used = device.Memory.Used;
        var output = job.Model.Forward(tape, job.Tokens, Pass);
        CrossEntropyStep.Run(tape, output.Logits, job.Labels, 0f, 1f, job.Losses);
        foreach (var variable in (Variable[])[output.Filtered, output.Manifold, output.Representation, output.Logits]) variable.Release();
        Assert.True(device.Memory.Used > used);
        tape.Backward();
        Assert.Equal(used, device.Memory.Used);
    }

    [Fact]
    public void A_step_given_up_halfway_returns_its_memory()
    {
        using var job = new TrainingJob(device, TrainableSet.All);
        using var tape = new Tape(device);
        job.Step();
        var used = device.Memory.Used;
        job.Model.Forward(tape, job.Tokens, Pass);
        tape.Clear();
        Assert.Equal(used, device.Memory.Used);
        Assert.Equal(0, tape.RecordedSteps);
    }

    [Fact]
    public void Recomputation_saves_memory()
    {
        Assert.True(HighWater(recompute: true) < 0.7 * HighWater(recompute: false));

        static double HighWater(bool recompute)
        {
            using var own = new CpuDevice(new CpuOptions());
            using var job = new TrainingJob(own, TrainableSet.All) { Recompute = recompute };
            var before = own.Memory.HighWater;
            job.Step();
            return own.Memory.HighWater - before;
        }
    }

    [Fact]
    public void Gradients_add_up_over_backward_passes()
    {
        using var job = new TrainingJob(device, TrainableSet.All);
        using var tape = new Tape(device);
        job.Model.Step(tape, job.Tokens, job.Labels, Pass, job.Losses);
        var once = device.Read<float>(job.Model.Parameters.Gradients);
        job.Model.Step(tape, job.Tokens, job.Labels, Pass, job.Losses);
        Assert.Contains(once, value => value != 0);
        // Twice the same float32 number is exact; a sum formed inside the running total is not: one roundoff of each addition apart.
        Closeness.Assert("twice", device.Read<float>(job.Model.Parameters.Gradients), [.. once.Select(value => 2.0 * value)], 2e-6 * once.Max(Math.Abs));
    }

    [Theory]
    [InlineData(TrainableSet.LastButOne, false)]
    [InlineData(TrainableSet.All, false)]
    [InlineData(TrainableSet.All, true)]
    public void A_plan_predicts_work_and_memory_exactly(TrainableSet set, bool recompute)
    {
        using var plan = new PlanDevice();
        using var planned = new TrainingJob(plan, set) { Recompute = recompute };
        using var job = new TrainingJob(device, set) { Recompute = recompute };
        planned.Step();
        job.Step();
        Assert.Equal(plan.FlopsRun, device.FlopsRun);
        Assert.Equal(plan.OperationsRun, device.OperationsRun);
        // From here on the threads' scratch, which a plan does not count, is set aside and of constant size.
        plan.Memory.Trim();
        device.Memory.Trim();
        planned.Step();
        job.Step();
        Assert.Equal(plan.Memory.Held, device.Memory.Held - MemoryPool.SizeClass(device.Workers.ScratchBytes * (nuint)device.Workers.Threads));
    }

    [Fact]
    public void A_checked_device_finds_nothing_wrong_with_a_step()
    {
        using var own = new CheckedDevice(new CpuDevice(new CpuOptions()));
        using var checkedJob = new TrainingJob(own, TrainableSet.All);
        using var job = new TrainingJob(device, TrainableSet.All);
        checkedJob.Step();
        job.Step();
        Assert.Equal(job.Everything(), checkedJob.Everything());
    }

    [Fact]
    public void Ten_cells_are_learned()
    {
        var geometry = Geometry with { Blocks = 2 };
        using var model = new CellTypeModel(device, geometry, 3);
        model.Parameters.Initialise(5);
        model.Parameters.Train(TrainableSet.All);
        using var adam = new Adam(device, model.Parameters, new AdamSettings());
        var tokens = model.Tokens(Sample.Integers(8, 10 * geometry.Positions, 0, 6));
        var labels = model.Labels(Sample.Integers(9, 10, 0, 3));
        var losses = model.Values(new Shape(10), new float[10]);
        using var tape = new Tape(device);
        var loss = float.NaN;
        for (var step = 0; step < 120; step++)
        {
            model.Parameters.ZeroGradients();
            loss = model.Step(tape, tokens, labels, new EncoderPass(10), losses, smoothing: 0f).Average();
            adam.Step(3e-3);
        }
        Assert.True(loss <= 0.02, $"loss {loss}");
    }
}
