using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>Every operation on the devices of a family: against float64, with canaries, run twice, and with equal bits on all of them.</summary>
public abstract class ConformanceTests(DeviceFamily devices)
{
    // Unit roundoff of float32.
    private const double Roundoff = 1.0 / (1 << 24);

    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (var operation in OperationCases.All) names.Add(operation.Name);
            return names;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void AgreesWithFloat64(string name)
    {
        var operation = Find(name);
        using var run = new CaseRun(operation, devices.All[0]);
        run.RunOnce();
        foreach (var output in operation.Arguments.Where(CaseRun.IsOutput))
        {
            var truth = operation.Expect<double>(output.Name);
            if (output.IsFloat) Closeness.Assert($"{name}, {output.Name}", run.Floats(output), truth, Allowed(operation, output, truth));
            else Assert.Equal(Array.ConvertAll(truth, v => (int)v), run.IntegerValues(output));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void WritesOnceAndAccumulatesTwice(string name)
    {
        var operation = Find(name);
        if (operation.Arguments.Any(a => a.Access == Access.Update)) return;
        using var run = new CaseRun(operation, devices.All[0]);
        run.RunOnce();
        var outputs = operation.Arguments.Where(a => CaseRun.IsOutput(a) && a.IsFloat).ToArray();
        var once = outputs.Select(run.Floats).ToArray();
        run.RunOnce();
        foreach (var (output, first) in outputs.Zip(once))
        {
            var what = $"{name}, {output.Name}, second run";
            var factor = output.Access == Access.Accumulate ? 2.0 : 1.0;
            var allowed = operation.AccumulatesExactly || factor == 1 ? 0 : 4 * Allowed(operation, output, operation.Expect<double>(output.Name));
            Closeness.Assert(what, run.Floats(output), Array.ConvertAll(first, v => factor * v), allowed);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void AddsToWhatIsThere(string name)
    {
        var operation = Find(name);
        var accumulated = operation.Arguments.Where(a => a.Access == Access.Accumulate).ToArray();
        if (accumulated.Length == 0) return;
        using var run = new CaseRun(operation, devices.All[0], Before);
        run.RunOnce();
        foreach (var output in accumulated)
        {
            var (before, truth) = (Before(output), operation.Expect<double>(output.Name));
            var allowed = Allowed(operation, output, truth) + (2 * Roundoff * before.Zip(truth, (b, t) => Math.Abs(b) + Math.Abs(t)).Max());
            for (var i = 0; i < truth.Length; i++) truth[i] += before[i];
            Closeness.Assert($"{name}, {output.Name}", run.Floats(output), truth, allowed);
        }

        static float[] Before(Argument a) => Sample.Normal(99, a.Shape.Count, 3, 2);
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void GivesTheSameBitsEverywhere(string name)
    {
        var operation = Find(name);
        using var expected = new CaseRun(operation, devices.All[0]);
        expected.RunOnce();
        foreach (var device in devices.All.Skip(1))
        {
            using var run = new CaseRun(operation, device);
            run.RunOnce();
            foreach (var output in operation.Arguments.Where(CaseRun.IsOutput))
            {
                Assert.True(expected.Bytes(output).AsSpan().SequenceEqual(run.Bytes(output)),
                    $"{name}, {output.Name}: {device.Description} and {devices.All[0].Description} differ.");
            }
        }
    }

    [SkippableFact]
    public void AllocatesNothing()
    {
        devices.Require();
        var device = devices.Watched;
        foreach (var operation in OperationCases.All)
        {
            if (!devices.Implements(operation.Operation)) continue;
            using var run = new CaseRun(operation, device);
            run.RunOnly();
            var (bytes, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
            run.RunOnly();
            Assert.True(GC.GetAllocatedBytesForCurrentThread() == bytes, $"{operation.Name} allocates managed memory.");
            Assert.True(device.Memory.SourceAllocations == blocks, $"{operation.Name} takes native memory when warm.");
        }
    }

    private OperationCase Find(string name)
    {
        devices.Require();
        var operation = OperationCases.Find(name);
        Skip.IfNot(devices.Implements(operation.Operation), "not implemented yet");
        return operation;
    }

    // 2 x the error of a plain float32 implementation + 2 roundoffs at the scale of the largest intermediate (style R26).
    private static double Allowed(OperationCase operation, Argument output, double[] truth)
    {
        var plain = operation.Expect<float>(output.Name);
        var error = plain.Zip(truth, (p, t) => Math.Abs(p - t)).Max();
        return (2 * error) + (2 * Roundoff * Math.Max(Closeness.Scale(truth), operation.LargestIntermediate(output.Name)));
    }
}

/// <summary>The processor conforms.</summary>
public sealed class CpuConformanceTests(CpuDevices devices) : ConformanceTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator conforms.</summary>
public sealed class EmulatedConformanceTests(EmulatedDevices devices) : ConformanceTests(devices), IClassFixture<EmulatedDevices>;
