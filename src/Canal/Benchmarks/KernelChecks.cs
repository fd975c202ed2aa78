using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Random;
using Canal.Engine.Tensors;
using Canal.Models;
using Canal.Planning;
using MathNet.Numerics;

namespace Canal.Benchmarks;

/// <summary>
/// Quick checks of the operations that are timed, on small inputs and the very device that is timed: a fast wrong kernel is the easiest
/// record to set. The full ones are the tests.
/// </summary>
internal sealed class KernelChecks(Device device, ModelConfiguration model, ulong seed)
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    // Half a unit in the last of TF32's ten bits of fraction.
    private const double Tf32Roundoff = 1.0 / (1 << 11);

    // Roundings to the element type between an attention's input and its output: operands, features, sums, result, each at the scale of the values.
    private const int AttentionRoundings = 16;

    private DType Forward => device.ActivationType(training: false);

    private DType Training => device.ActivationType(training: true);

    // Central differences in float64: their own error is of the order of the step squared.
    private const double DifferenceStep = 1e-5;

    /// <summary>Products A·Bᵀ: any order of K fused multiply-adds stays within K roundoffs of the sum of magnitudes (Higham 2002, section 3.1).</summary>
    public CheckResult Product()
    {
        const int m = 37, n = 53, k = 200;
        var (a, b) = (Normal(m * k, 1, Forward), Normal(n * k, 2, Forward));
        var operands = device is CudaDevice { Precision.Tf32: true } && Forward == DType.Float32 ? 2 * Tf32Roundoff : 0;
        var c = Run(m * n, new Shape(m, n), DType.Float32, (y, t) => device.Run(new MatMul(y, t[0], t[1], TransposeB: true)), (a, new Shape(m, k), Forward), (b, new Shape(n, k), Forward));
        var worst = 0.0;
        for (var i = 0; i < m * n; i++)
        {
            var (sum, magnitude) = (0.0, 0.0);
            for (var p = 0; p < k; p++)
            {
                var term = (double)a[(i / n * k) + p] * b[(i % n * k) + p];
                (sum, magnitude) = (sum + term, magnitude + Math.Abs(term));
            }
            worst = Worse(worst, Math.Abs(c[i] - sum) / ((((k + 2) * UnitRoundoff) + operands) * magnitude));
        }
        return new CheckResult("float64", worst);
    }

    /// <summary>GELU: the erf form, a few roundoffs at the scale of x.</summary>
    public CheckResult Gelu()
    {
        var x = Normal(1000, 3, Forward);
        var y = Run(x.Length, new Shape(x.Length), Forward, (o, t) => device.Run(new GeluForward(o, t[0])), (x, new Shape(x.Length), Forward));
        var worst = 0.0;
        for (var i = 0; i < x.Length; i++)
        {
            var truth = 0.5 * x[i] * (1 + SpecialFunctions.Erf(x[i] / Math.Sqrt(2)));
            worst = Worse(worst, Math.Abs(y[i] - truth) / ((8 * UnitRoundoff * Math.Max(1, Math.Abs(x[i]))) + (Roundoff(Forward) * Math.Abs(truth))));
        }
        return new CheckResult("float64", worst);
    }

    /// <summary>Layer norm, forward: a few roundoffs at the scale of its largest intermediate.</summary>
    public CheckResult NormForward()
    {
        var (rows, width) = (33, model.Width);
        var (x, gamma, beta) = (Normal(rows * width, 4), Normal(width, 5), Normal(width, 6));
        var y = Run(x.Length, new Shape(rows, width), Forward, (o, t) => device.Run(new LayerNormForward(o, Tensor.None, Tensor.None, t[0], t[1], t[2], LayerNorm.Epsilon)),
            (x, new Shape(rows, width), DType.Float32), (gamma, new Shape(width), DType.Float32), (beta, new Shape(width), DType.Float32));
        var truth = NormInFloat64(Widen(x), gamma, beta);
        return new CheckResult("float64", Largest(y, truth, i => (16 * UnitRoundoff * (1 + Math.Abs(gamma[i % width]) * 4 + Math.Abs(beta[i % width]))) + (Roundoff(Forward) * Math.Abs(truth[i]))));
    }

    /// <summary>Layer norm, backward: a derivative along a random direction against central differences in float64.</summary>
    public CheckResult NormBackward()
    {
        var (rows, width) = (33, model.Width);
        var (x, gamma, beta, dy, direction) = (Normal(rows * width, 7), Normal(width, 8), Normal(width, 9), Normal(rows * width, 10, Training), Normal(rows * width, 11));
        var shape = new Shape(rows, width);
        var dx = Run(x.Length, shape, DType.Float32, (o, t) =>
        {
            var (y, mean, rstd) = (device.Allocate(Training, shape), device.Allocate(new Shape(rows)), device.Allocate(new Shape(rows)));
            device.Run(new LayerNormForward(y, mean, rstd, t[0], t[1], t[2], LayerNorm.Epsilon));
            device.Run(new LayerNormBackward(o, Tensor.None, Tensor.None, t[3], t[0], mean, rstd, t[1], Accumulate: false));
            foreach (var tensor in (Tensor[])[y, mean, rstd]) tensor.Storage.Dispose();
        }, (x, shape, DType.Float32), (gamma, new Shape(width), DType.Float32), (beta, new Shape(width), DType.Float32), (dy, shape, Training));
        double Loss(double[] at) => NormInFloat64(at, gamma, beta).Zip(dy, (a, b) => a * b).Sum();
        return new CheckResult("differences in float64", Directional(Loss, Widen(x), direction, dx));
    }

    /// <summary>FAVOR+ forward, at the model's head width and features, against the quadratic textbook form.</summary>
    public CheckResult AttentionForward() => Attention(backward: false);

    /// <summary>FAVOR+ backward: a derivative along a random direction of queries, keys and values against central differences of the quadratic form.</summary>
    public CheckResult AttentionBackward() => Attention(backward: true);

    /// <summary>The fused encoder block against its single operations: the same bits.</summary>
    public CheckResult Block()
    {
        const int cells = 2, genes = 69;
        using var parameters = StandIns.Fresh(model with { Genes = genes, Blocks = 1 }, seed).CreateParameters(device);
        var geometry = (model with { Genes = genes, Blocks = 1 }).Encoder();
        var x = Normal(cells * geometry.Positions * geometry.Width, 12);
        float[] Forward(bool fused)
        {
            using var tape = fused ? Tape.ForInference(device) : new Tape(device) { FusesBlocks = false };
            var block = new EncoderBlock(parameters, geometry, 0);
            return Run(x.Length, new Shape(cells * geometry.Positions, geometry.Width), DType.Float32, (o, t) =>
            {
                device.Copy(o, block.Forward(tape, tape.Borrow(t[0]), new EncoderPass(cells)).Value);
                tape.Clear();
            }, (x, new Shape(cells * geometry.Positions, geometry.Width), DType.Float32));
        }
        var (single, whole) = (Forward(fused: false), Forward(fused: true));
        var different = single.Zip(whole).Count(p => BitConverter.SingleToInt32Bits(p.First) != BitConverter.SingleToInt32Bits(p.Second) || !float.IsFinite(p.First));
        return new CheckResult("bits of the single operations", different == 0 ? 0 : double.PositiveInfinity);
    }

    private CheckResult Attention(bool backward)
    {
        var sizes = new FavorSizes(1, 40, 2, model.HeadWidth, model.Features, KeyMaximumScope.Cell);
        var n = (int)sizes.Rows.Count;
        var type = backward ? Training : Forward;
        var (q, k, v, dOut) = (Normal(n, 13, type), Normal(n, 14, type), Normal(n, 15, type), Normal(n, 16, type));
        var projection = Normal(model.Features * model.HeadWidth, 17);
        var reference = new FavorInFloat64(sizes, Widen(projection));
        var projectionShape = new Shape(model.Features, model.HeadWidth);
        using var state = new StateMemory(device, sizes);
        if (!backward)
        {
            var output = Run(n, sizes.Rows, type, (o, t) => device.Run(new FavorForward(o, state.State, t[0], t[1], t[2], t[3], sizes)),
                (q, sizes.Rows, type), (k, sizes.Rows, type), (v, sizes.Rows, type), (projection, projectionShape, DType.Float32));
            // Weights are exponentials of sums of about ten, so good to some 1e-5; outputs are means of values of about 1.
            return new CheckResult("float64", Largest(output, reference.Forward(Widen(q), Widen(k), Widen(v)), _ => 1e-4 + (AttentionRoundings * Roundoff(type))));
        }
        var gradients = Run(3 * n, new Shape(3, n), type, (o, t) =>
        {
            var output = device.Allocate(type, sizes.Rows);
            device.Run(new FavorForward(output, state.State, t[0], t[1], t[2], t[3], sizes));
            var d = Enumerable.Range(0, 3).Select(i => o.Slice(i, 1).Reshape(sizes.Rows)).ToArray();
            device.Run(new FavorBackward(d[0], d[1], d[2], t[4], output, state.State, t[0], t[1], t[2], t[3], sizes));
            output.Storage.Dispose();
        }, (q, sizes.Rows, type), (k, sizes.Rows, type), (v, sizes.Rows, type), (projection, projectionShape, DType.Float32), (dOut, sizes.Rows, type));
        double Loss(double[] at) => reference.Forward(at[..n], at[n..(2 * n)], at[(2 * n)..]).Zip(dOut, (a, b) => a * b).Sum();
        return new CheckResult("differences in float64", Directional(Loss, [.. Widen(q), .. Widen(k), .. Widen(v)], Normal(3 * n, 18), gradients, AttentionRoundings * Roundoff(type)));
    }

    // A term left out changes the derivative by percents of the sum of magnitudes; float32 by far less than a thousandth.
    private static double Directional(Func<double[], double> loss, double[] at, float[] direction, float[] gradient, double rounding = 0)
    {
        double[] Moved(double step) => [.. at.Zip(direction, (x, d) => x + (step * d))];
        var difference = (loss(Moved(DifferenceStep)) - loss(Moved(-DifferenceStep))) / (2 * DifferenceStep);
        var terms = gradient.Zip(direction, (g, d) => (double)g * d).ToArray();
        return Math.Abs(terms.Sum() - difference) / ((1e-3 + rounding) * terms.Sum(Math.Abs));
    }

    private static double[] NormInFloat64(double[] x, float[] gamma, float[] beta)
    {
        var (width, y) = (gamma.Length, new double[x.Length]);
        for (var row = 0; row < x.Length; row += width)
        {
            var values = x.AsSpan(row, width).ToArray();
            var mean = values.Average();
            var rstd = 1 / Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + LayerNorm.Epsilon);
            for (var c = 0; c < width; c++) y[row + c] = ((values[c] - mean) * rstd * gamma[c]) + beta[c];
        }
        return y;
    }

    private float[] Run(int count, Shape shape, DType type, Action<Tensor, Tensor[]> run, params (float[] Values, Shape Shape, DType Type)[] inputs)
    {
        var output = device.Allocate(type, shape);
        var tensors = inputs.Select(input => device.Allocate(input.Type, input.Shape)).ToArray();
        try
        {
            Write(output, [.. Enumerable.Repeat(float.NaN, count)]);
            for (var i = 0; i < inputs.Length; i++) Write(tensors[i], inputs[i].Values);
            run(output, tensors);
            return Read(output);
        }
        finally
        {
            output.Storage.Dispose();
            foreach (var tensor in tensors) tensor.Storage.Dispose();
        }
    }

    // Normal deviates that the element type holds exactly: the reference computes with the same numbers.
    private float[] Normal(int count, int stream, DType type = DType.Float32)
    {
        var draws = new RandomSequence(seed, RandomPurpose.Testing, stage: 1, index: stream);
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)draws.NextNormal();
        if (type == DType.Float32) return values;
        var rounded = device.Allocate(type, new Shape(count));
        Write(rounded, values);
        values = Read(rounded);
        rounded.Storage.Dispose();
        return values;
    }

    private void Write(Tensor to, float[] values)
    {
        if (to.Type == DType.Float32)
        {
            device.Write<float>(to, values);
            return;
        }
        var wide = device.Allocate(to.Shape);
        device.Write<float>(wide, values);
        device.Run(new Engine.Operations.Convert(to, wide));
        wide.Storage.Dispose();
    }

    private float[] Read(Tensor from)
    {
        if (from.Type == DType.Float32) return device.Read<float>(from);
        var wide = device.Allocate(from.Shape);
        device.Run(new Engine.Operations.Convert(wide, from));
        var values = device.Read<float>(wide);
        wide.Storage.Dispose();
        return values;
    }

    private static double Roundoff(DType type) => type switch { DType.Float16 => 1.0 / (1 << 11), DType.BFloat16 => 1.0 / (1 << 8), _ => 0 };

    private static double[] Widen(float[] values) => Array.ConvertAll(values, value => (double)value);

    private static double Largest(float[] values, double[] truth, Func<int, double> allowed)
    {
        var worst = 0.0;
        for (var i = 0; i < values.Length; i++) worst = Worse(worst, Math.Abs(values[i] - truth[i]) / allowed(i));
        return worst;
    }

    // Keeps NaN.
    private static double Worse(double worst, double error) => error <= worst ? worst : error;
}
