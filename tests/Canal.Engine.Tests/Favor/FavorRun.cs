using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>Seeded FAVOR+ problems and one guarded run of the operations on them.</summary>
internal static class FavorRun
{
    /// <summary>Inputs with |q| and |k| about <paramref name="norm"/> (every key but a cell's first a fifth shorter) and values about <paramref name="offset"/>.</summary>
    public static FavorProblem Problem(FavorSizes sizes, double norm = 3, double offset = 0, int seed = 1)
    {
        var count = sizes.Rows.Count;
        var deviation = norm / Math.Sqrt(sizes.HeadWidth);
        var k = Sample.Normal(seed + 1, count, deviation: deviation);
        var width = sizes.Heads * sizes.HeadWidth;
        for (var i = 0; i < k.Length; i++)
        {
            if (i / width % sizes.Tokens > 0) k[i] *= 0.8f;
        }
        return new FavorProblem(
            sizes,
            Sample.Normal(seed, count, deviation: deviation),
            k,
            Sample.Normal(seed + 2, count, mean: offset),
            Sample.Normal(seed + 3, (long)sizes.Features * sizes.HeadWidth),
            Sample.Normal(seed + 4, count, deviation: 1e-3));
    }

    /// <summary>What the forward pass writes.</summary>
    public sealed record ForwardResult(float[] Out, float[] Sums, float[] Normalisers, float[] MeanValues, float[] KeyMaximum, int[] KeyMaximumAt)
    {
        /// <summary>All floats one after another, for comparisons of bits.</summary>
        public float[] AllFloats => [.. Out, .. Sums, .. Normalisers, .. MeanValues, .. KeyMaximum];
    }

    /// <summary>What the backward pass writes.</summary>
    public sealed record BackwardResult(float[] DQ, float[] DK, float[] DV)
    {
        /// <summary>All floats one after another, for comparisons of bits.</summary>
        public float[] AllFloats => [.. DQ, .. DK, .. DV];
    }

    /// <summary>Runs the forward pass with every output full of NaN between canaries, and checks both.</summary>
    public static ForwardResult Forward(Device device, FavorProblem problem) => Both(device, problem, withBackward: false).Forward;

    /// <summary>Runs both passes with activations of a type (the backward twice: its outputs are written, not accumulated) with every output full of NaN between canaries.</summary>
    public static (ForwardResult Forward, BackwardResult Backward) Both(Device device, FavorProblem problem, bool withBackward = true, DType type = DType.Float32)
    {
        var s = problem.Sizes;
        using var q = new GuardedTensor(device, type, s.Rows, problem.Q);
        using var k = new GuardedTensor(device, type, s.Rows, problem.K);
        using var v = new GuardedTensor(device, type, s.Rows, problem.V);
        using var projection = new GuardedTensor(device, new Shape(s.Features, s.HeadWidth), problem.Projection);
        using var output = new GuardedTensor(device, type, s.Rows);
        using var sums = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth));
        using var normalisers = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.Features));
        using var means = new GuardedTensor(device, new Shape(s.Cells, s.Heads, s.HeadWidth));
        using var maximum = new GuardedTensor(device, new Shape(s.Maxima));
        var places = device.Allocate(DType.Int32, new Shape(s.Maxima, 4));
        device.Write<int>(places, [.. Enumerable.Repeat(-1, s.Maxima * 4)]);
        var state = new FavorState(sums.Tensor, normalisers.Tensor, means.Tensor, maximum.Tensor, places);
        device.Run(new FavorForward(output.Tensor, state, q.Tensor, k.Tensor, v.Tensor, projection.Tensor, s));
        foreach (var (name, tensor) in new[] { ("out", output), ("sums", sums), ("normalisers", normalisers), ("means", means), ("maximum", maximum) })
        {
            tensor.AssertWrittenInside(name);
        }
        var forward = new ForwardResult(output.Values, sums.Values, normalisers.Values, means.Values, maximum.Values, device.Read<int>(places));
        var backward = new BackwardResult([], [], []);
        if (withBackward)
        {
            using var dOut = new GuardedTensor(device, type, s.Rows, problem.DOut);
            using var dq = new GuardedTensor(device, type, s.Rows);
            using var dk = new GuardedTensor(device, type, s.Rows);
            using var dv = new GuardedTensor(device, type, s.Rows);
            var operation = new FavorBackward(
                dq.Tensor, dk.Tensor, dv.Tensor, dOut.Tensor, output.Tensor, state, q.Tensor, k.Tensor, v.Tensor, projection.Tensor, s);
            device.Run(operation);
            backward = new BackwardResult(dq.Values, dk.Values, dv.Values);
            device.Run(operation);
            Assert.Equal(backward.AllFloats, new BackwardResult(dq.Values, dk.Values, dv.Values).AllFloats);
            foreach (var (name, tensor) in new[] { ("dq", dq), ("dk", dk), ("dv", dv) }) tensor.AssertWrittenInside(name);
        }
        places.Storage.Dispose();
        return (forward, backward);
    }

    /// <summary>Largest error, NaN if any element is.</summary>
    public static double MaxError(float[] actual, double[] expected)
    {
        var largest = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            var error = Math.Abs(actual[i] - expected[i]);
            if (!(error <= largest)) largest = error;
            if (double.IsNaN(error)) return error;
        }
        return largest;
    }
}
