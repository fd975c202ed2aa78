using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Favor.TensorCores;

/// <summary>Guarded runs of FAVOR+ in half precision on a card, emulated or not.</summary>
internal static class FavorHalfRun
{
    /// <summary>A problem whose activations are numbers of the type.</summary>
    public static FavorProblem Problem(DType type, FavorSizes sizes, double norm = 3, double offset = 0, int seed = 1)
    {
        var problem = FavorRun.Problem(sizes, norm, offset, seed);
        return problem with
        {
            Q = Rounding.To(type, problem.Q),
            K = Rounding.To(type, problem.K),
            V = Rounding.To(type, problem.V),
            DOut = Rounding.To(type, Array.ConvertAll(problem.DOut, x => x * 64)),
        };
    }

    /// <summary>An emulated card.</summary>
    public static CudaDevice Device(int order = 0, int architecture = 80, int workers = 2, int multiprocessors = 4)
    {
        EmulatedRuntime.Require();
        return new CudaDevice(new EmulatedRuntime(architecture, order, workers, multiprocessors), new CudaOptions());
    }

    /// <summary>An emulated card whose exponentials and tensor cores err as real ones may.</summary>
    public static CudaDevice RoughDevice(int order)
    {
        EmulatedRuntime.Require();
        return new CudaDevice(new EmulatedRuntime(new EmulatorOptions { Order = order, Workers = 2, PerturbExponentials = true, TruncateProducts = true }), new CudaOptions());
    }

    /// <summary>The machine's card with tensor cores for bfloat16.</summary>
    public static CudaDevice Card()
    {
        var device = CardForTests.Open();
        if (device.Runtime.Architecture >= 80) return device;
        device.Dispose();
        throw new SkipException("the card has no tensor cores for bfloat16");
    }

    /// <summary>Runs both passes, the backward twice, with every output full of NaN between canaries.</summary>
    public static FavorHalfResult Run(Device device, DType type, FavorProblem problem, bool backward = true, Action<FavorState>? changeState = null)
    {
        var s = problem.Sizes;
        using var q = new GuardedTensor(device, type, s.Rows, problem.Q, aligned: true);
        using var k = new GuardedTensor(device, type, s.Rows, problem.K, aligned: true);
        using var v = new GuardedTensor(device, type, s.Rows, problem.V, aligned: true);
        using var projection = new GuardedTensor(device, new Shape(s.Features, s.HeadWidth), problem.Projection);
        using var output = new GuardedTensor(device, type, s.Rows, aligned: true);
        using var sums = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth));
        using var normalisers = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.Features));
        using var means = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.HeadWidth));
        using var maximum = new GuardedTensor(device, new Shape(s.Maxima));
        var places = device.Allocate(DType.Int32, new Shape(s.Maxima, 4));
        var guard = device.Allocate(DType.Int32, new Shape(s.Heads));
        using var placesMemory = places.Storage;
        using var guardMemory = guard.Storage;
        device.Write<int>(places, [.. Enumerable.Repeat(-1, s.Maxima * 4)]);
        device.Write<int>(guard, new int[s.Heads]);
        var state = new FavorState(sums.Tensor, normalisers.Tensor, means.Tensor, maximum.Tensor, places);
        device.Run(new FavorForward(output.Tensor, state, q.Tensor, k.Tensor, v.Tensor, projection.Tensor, s, guard));
        output.AssertWrittenInside("out");
        foreach (var (name, tensor) in new[] { ("sums", sums), ("normalisers", normalisers), ("means", means), ("maximum", maximum) }) tensor.AssertWrittenInside(name);
        changeState?.Invoke(state);
        var result = new FavorHalfResult(output.Values, sums.Values, normalisers.Values, means.Values, maximum.Values, device.Read<int>(places), device.Read<int>(guard));
        if (!backward) return result;

        using var dOut = new GuardedTensor(device, type, s.Rows, problem.DOut, aligned: true);
        using var dq = new GuardedTensor(device, type, s.Rows, aligned: true);
        using var dk = new GuardedTensor(device, type, s.Rows, aligned: true);
        using var dv = new GuardedTensor(device, type, s.Rows, aligned: true);
        var operation = new FavorBackward(dq.Tensor, dk.Tensor, dv.Tensor, dOut.Tensor, output.Tensor, state, q.Tensor, k.Tensor, v.Tensor, projection.Tensor, s);
        device.Run(operation);
        float[] first = [.. dq.Values, .. dk.Values, .. dv.Values];
        device.Run(operation);
        float[] second = [.. dq.Values, .. dk.Values, .. dv.Values];
        Assert.Equal(first, second);
        foreach (var (name, tensor) in new[] { ("dq", dq), ("dk", dk), ("dv", dv) }) tensor.AssertWrittenInside(name);
        return result with { DQ = dq.Values, DK = dk.Values, DV = dv.Values };
    }
}

/// <summary>What the passes write.</summary>
internal sealed record FavorHalfResult(
    float[] Out, float[] Sums, float[] Normalisers, float[] MeanValues, float[] KeyMaximum, int[] KeyMaximumAt, int[] Guard)
{
    public float[] DQ { get; init; } = [];

    public float[] DK { get; init; } = [];

    public float[] DV { get; init; } = [];

    /// <summary>All floats one after another as bits, for comparisons.</summary>
    public int[] Bits => [.. new[] { Out, Sums, Normalisers, MeanValues, KeyMaximum, DQ, DK, DV }.SelectMany(values => values).Select(BitConverter.SingleToInt32Bits), .. KeyMaximumAt];
}
