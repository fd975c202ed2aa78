using Canal.Engine.Autograd;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>What a training step on the CUDA device promises whatever the numbers: work, memory, allocations, and that it can be replayed.</summary>
public abstract class CudaTrainingStepTests(TestDevice kind)
{
    public static TheoryData<string, TrainableSet, bool> Steps => new()
    {
        { "fp32", TrainableSet.LastButOne, false },
        { "fp32", TrainableSet.All, true },
        { "bf16", TrainableSet.LastButOne, false },
        { "bf16", TrainableSet.All, false },
        { "bf16", TrainableSet.All, true },
        { "f16", TrainableSet.LastButOne, false },
    };

    [SkippableTheory]
    [MemberData(nameof(Steps))]
    public void A_plan_predicts_work_and_memory_to_the_byte(string precision, TrainableSet set, bool recompute)
    {
        using var device = Open(precision);
        using var plan = new PlanDevice(null, PlanTarget.Of(device));
        using var planned = new TrainingJob(plan, set) { Recompute = recompute };
        using var job = new TrainingJob(device, set) { Recompute = recompute };
        for (var step = 0; step < 2; step++)
        {
            planned.Step();
            job.Step();
            Assert.Equal((plan.FlopsRun, plan.BytesRun, plan.OperationsRun), (device.FlopsRun, device.BytesRun, device.OperationsRun));
            Assert.Equal((plan.Memory.HighWater, plan.Memory.Used), (device.Memory.HighWater, device.Memory.Used));
        }
    }

    [SkippableTheory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    [InlineData("f16")]
    public void A_plan_predicts_inference_to_the_byte(string precision)
    {
        using var device = Open(precision);
        using var plan = new PlanDevice(null, PlanTarget.Of(device));
        using var planned = new TrainingJob(plan, TrainableSet.None);
        using var job = new TrainingJob(device, TrainableSet.None);
        using var plannedTape = Tape.ForInference(plan);
        using var tape = Tape.ForInference(device);
        planned.Model.Forward(plannedTape, planned.Tokens, new EncoderPass(TrainingJob.Cells));
        job.Model.Forward(tape, job.Tokens, new EncoderPass(TrainingJob.Cells));
        Assert.Equal((plan.FlopsRun, plan.OperationsRun), (device.FlopsRun, device.OperationsRun));
        Assert.Equal((plan.Memory.HighWater, plan.Memory.Used), (device.Memory.HighWater, device.Memory.Used));
    }

    [SkippableTheory]
    [MemberData(nameof(Steps))]
    public void A_replayed_step_has_the_bits_and_the_work_of_one_run_operation_by_operation(string precision, TrainableSet set, bool recompute)
    {
        using var device = Open(precision);
        using var eager = new TrainingJob(device, set) { Recompute = recompute };
        using var job = new TrainingJob(device, set) { Recompute = recompute };
        eager.Step();
        job.Step();
        using var graph = device.TryCapture(job.Prepared);
        Assert.NotNull(graph);
        for (var step = 0; step < 3; step++)
        {
            var before = (device.FlopsRun, device.OperationsRun);
            eager.Step();
            var between = (device.FlopsRun, device.OperationsRun);
            job.Prepare();
            device.Run(graph);
            Assert.Equal((between.FlopsRun - before.FlopsRun, between.OperationsRun - before.OperationsRun), (device.FlopsRun - between.FlopsRun, device.OperationsRun - between.OperationsRun));
        }
        Assert.Equal(eager.Everything(), job.Everything());
    }

    [SkippableFact]
    public void A_warm_step_allocates_nothing_replayed_or_not()
    {
        using var device = Open("bf16");
        using var job = new TrainingJob(device, TrainableSet.LastButOne);
        for (var warming = 0; warming < 3; warming++) job.Step();
        using var graph = device.TryCapture(job.Prepared)!;
        device.Run(graph);
        var (managed, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
        job.Step();
        job.Prepare();
        device.Run(graph);
        managed = GC.GetAllocatedBytesForCurrentThread() - managed;
        Assert.Equal(0, managed);
        Assert.Equal(blocks, device.Memory.SourceAllocations);
    }

    [SkippableTheory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    public void A_checked_device_finds_nothing_wrong_with_a_step(string precision)
    {
        using var own = new CheckedDevice(Open(precision));
        using var checkedJob = new TrainingJob(own, TrainableSet.All);
        using var device = Open(precision);
        using var job = new TrainingJob(device, TrainableSet.All);
        checkedJob.Step();
        job.Step();
        Assert.Equal(job.Everything(), checkedJob.Everything());
    }

    private CudaDevice Open(string precision) => TestDevices.Cuda(kind, CudaPrecision.All.Single(p => p.Name == precision));
}

/// <summary>Emulated.</summary>
public sealed class EmulatedTrainingStepTests() : CudaTrainingStepTests(TestDevice.Emulated);

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverTrainingStepTests() : CudaTrainingStepTests(TestDevice.Card);
