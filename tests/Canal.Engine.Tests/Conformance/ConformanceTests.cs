using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>Every operation on the devices of a family: against float64, with canaries, run twice, and with equal bits on all of them.</summary>
public abstract class ConformanceTests<TFamily>(TFamily devices) : IClassFixture<TFamily> where TFamily : DeviceFamily, IDeviceFamily
{
    // Unit roundoff of float32.
    private const double Roundoff = 1.0 / (1 << 24);

    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            if (!TFamily.IsThere) return [$"all {Cases.Count()} cases"];
            foreach (var operation in Cases) names.Add(operation.Name);
            return names;
        }
    }

    private static IEnumerable<OperationCase> Cases => OperationCases.All.Where(operation => TFamily.HasHalf || !operation.NeedsHalf);

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
            for (var i = 0; i < truth.Length; i++) truth[i] += before[i];
            Closeness.Assert($"{name}, {output.Name}", run.Floats(output), truth, Allowed(operation, output, truth, before));
        }

        static float[] Before(Argument a) => Rounding.To(a.Type, Sample.Normal(99, a.Shape.Count, 3, 2));
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void GivesTheSameBitsEverywhere(string name)
    {
        var operation = Find(name);
        using var expected = new CaseRun(operation, devices.All[0]);
        expected.RunOnce();
        var aligned = false;
        foreach (var device in devices.All.Skip(1))
        {
            // Wide loads must not change a bit either: the first is compared with aligned and unaligned ones in turn.
            using var run = new CaseRun(operation, device, aligned: aligned = !aligned && devices.SameBitsHoweverAligned(operation.Operation));
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
        foreach (var operation in Cases)
        {
            if (!devices.Implements(operation.Operation)) continue;
            using var run = new CaseRun(operation, device);
            // Twice: the second run is the first that finds something in the device's tables, whose comparers are made then, once a process.
            run.RunOnly();
            run.RunOnly();
            var (bytes, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
            run.RunOnly();
            bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
            Assert.True(bytes == 0, $"{operation.Name} allocates {bytes} bytes of managed memory.");
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

    // 2 x the error of a plain implementation in the same arithmetic, float32 sums rounded once to the output's type and, where it is accumulated, added to what
    // was there, + 2 roundoffs of float32 at the scale of the largest intermediate (style R26).
    private static double Allowed(OperationCase operation, Argument output, double[] truth, float[]? before = null)
    {
        var plain = operation.Expect<float>(output.Name);
        var error = 0.0;
        for (var i = 0; i < plain.Length; i++) error = Math.Max(error, Math.Abs(Rounding.To(output.Type, (before?[i] ?? 0) + plain[i]) - truth[i]));
        return (2 * error) + (2 * Roundoff * Math.Max(Closeness.Scale(truth), operation.LargestIntermediate(output.Name)));
    }
}

/// <summary>The processor conforms.</summary>
public sealed class CpuConformanceTests(CpuDevices devices) : ConformanceTests<CpuDevices>(devices);

/// <summary>The CUDA device on the emulator conforms.</summary>
public sealed class EmulatedConformanceTests(EmulatedDevices devices) : ConformanceTests<EmulatedDevices>(devices);

/// <summary>The CUDA device on a card conforms.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverConformanceTests(DriverDevices devices) : ConformanceTests<DriverDevices>(devices);
