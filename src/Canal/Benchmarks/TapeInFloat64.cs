using Canal.Engine.Layers;
using MathNet.Numerics;
using static Canal.Benchmarks.VectorsInFloat64;

namespace Canal.Benchmarks;

/// <summary>Values on a <see cref="TapeInFloat64"/>, and the gradient of the loss with respect to them.</summary>
internal sealed class ValuesInFloat64
{
    private readonly RoundingInFloat64 stored;

    /// <summary>Takes the values over, rounded as they are stored.</summary>
    public ValuesInFloat64(double[] data, RoundingInFloat64 stored)
    {
        (Data, this.stored) = (data, stored);
        stored.Store(data);
    }

    public double[] Data { get; }

    /// <summary>The gradient, stored as the values are; null before anything was added.</summary>
    public double[]? Gradient { get; private set; }

    /// <summary>Adds to the gradient.</summary>
    public void AddGradient(double[] contribution)
    {
        if (Gradient is null) Gradient = (double[])contribution.Clone();
        else Add(Gradient, contribution);
        stored.Store(Gradient);
    }
}

/// <summary>
/// The operations of the model in float64, each beside its derivative (reverse mode): written out from method.md sections 2 and 3, by none of
/// the devices' code and without their centred form of the attention.
/// </summary>
/// <param name="weights">Parameters by name.</param>
/// <param name="sizes">The encoder's sizes.</param>
/// <param name="gradients">Gets the gradients of the parameters, added up; null where there is no going back, and then nothing is kept for it.</param>
internal sealed class TapeInFloat64(IReadOnlyDictionary<string, double[]> weights, EncoderGeometry sizes, Dictionary<string, double[]>? gradients = null)
{
    private readonly Stack<Action> steps = new();

    /// <summary>Goes back through everything since the last time.</summary>
    public void Backward()
    {
        while (steps.TryPop(out var step)) step();
    }

    /// <summary>Where a parameter's gradient is added up.</summary>
    public double[] GradientOf(string name)
    {
        if (!gradients!.TryGetValue(name, out var gradient)) gradients.Add(name, gradient = new double[weights[name].Length]);
        return gradient;
    }

    /// <summary>x + y.</summary>
    public ValuesInFloat64 Sum(ValuesInFloat64 x, ValuesInFloat64 y, RoundingInFloat64 stored)
    {
        var sum = (double[])x.Data.Clone();
        Add(sum, y.Data);
        return Record(new ValuesInFloat64(sum, stored), dy =>
        {
            x.AddGradient(dy);
            y.AddGradient(dy);
        });
    }

    /// <summary>A function of each value, with its derivative there.</summary>
    public ValuesInFloat64 Map(ValuesInFloat64 x, Func<double, double> function, Func<double, double> derivative, RoundingInFloat64 stored) =>
        Record(new ValuesInFloat64(Array.ConvertAll(x.Data, value => function(value)), stored), dy => x.AddGradient([.. dy.Zip(x.Data, (d, value) => d * derivative(value))]));

    /// <summary>max(x, 0).</summary>
    public ValuesInFloat64 Relu(ValuesInFloat64 x, RoundingInFloat64 stored) => Map(x, value => Math.Max(value, 0), value => value > 0 ? 1 : 0, stored);

    /// <summary>x Phi(x) of the standard normal distribution.</summary>
    public ValuesInFloat64 Gelu(ValuesInFloat64 x, RoundingInFloat64 stored) =>
        Map(x, value => value * Phi(value), value => Phi(value) + (value * Math.Exp(-value * value / 2) / Math.Sqrt(2 * Math.PI)), stored);

    /// <summary>Rows of the encoder's width to mean 0 and variance 1, times gamma, plus beta.</summary>
    public ValuesInFloat64 Norm(ValuesInFloat64 x, string name, RoundingInFloat64 stored)
    {
        var (gamma, beta, c) = (weights[name + ".weight"], weights[name + ".bias"], sizes.Width);
        var (y, normal, scales) = (new double[x.Data.Length], new double[x.Data.Length], new double[x.Data.Length / c]);
        for (var row = 0; row < scales.Length; row++)
        {
            var values = x.Data.AsSpan(row * c, c);
            var mean = VectorsInFloat64.Sum(values) / c;
            var variance = 0.0;
            foreach (var value in values) variance += (value - mean) * (value - mean) / c;
            scales[row] = 1 / Math.Sqrt(variance + LayerNorm.Epsilon);
            for (var i = 0; i < c; i++)
            {
                normal[(row * c) + i] = (values[i] - mean) * scales[row];
                y[(row * c) + i] = (normal[(row * c) + i] * gamma[i]) + beta[i];
            }
        }
        return Record(new ValuesInFloat64(y, stored), dy =>
        {
            var (dgamma, dbeta, dx, scaled) = (GradientOf(name + ".weight"), GradientOf(name + ".bias"), new double[dy.Length], new double[c]);
            for (var row = 0; row < scales.Length; row++)
            {
                var d = dy.AsSpan(row * c, c);
                var n = normal.AsSpan(row * c, c);
                Add(dbeta, d);
                for (var i = 0; i < c; i++)
                {
                    dgamma[i] += d[i] * n[i];
                    scaled[i] = d[i] * gamma[i];
                }
                var (mean, slope) = (VectorsInFloat64.Sum(scaled) / c, Dot(scaled, n) / c);
                for (var i = 0; i < c; i++) dx[(row * c) + i] = scales[row] * (scaled[i] - mean - (n[i] * slope));
            }
            x.AddGradient(dx);
        });
    }

    /// <summary>Rows of as many values as the weight has inputs (conv1's weight is one row over the width) to as many as it has outputs.</summary>
    /// <param name="x">The input.</param>
    /// <param name="name">The layer.</param>
    /// <param name="operands">How the operands of its products are rounded.</param>
    /// <param name="stored">How the result is stored.</param>
    public ValuesInFloat64 Linear(ValuesInFloat64 x, string name, RoundingInFloat64 operands, RoundingInFloat64 stored)
    {
        var bias = weights.GetValueOrDefault(name + ".bias");
        var (weight, values) = (operands.Operand(weights[name + ".weight"]), operands.Operand(x.Data));
        var outputs = bias?.Length ?? sizes.InnerWidth;
        var inputs = weight.Length / outputs;
        var rows = values.Length / inputs;
        var y = new double[rows * outputs];
        Parallel.For(0, rows, row =>
        {
            for (var o = 0; o < outputs; o++) y[(row * outputs) + o] = Dot(values.AsSpan(row * inputs, inputs), weight.AsSpan(o * inputs, inputs)) + (bias?[o] ?? 0);
        });
        return Record(new ValuesInFloat64(y, stored), stream =>
        {
            var (dy, dweight, dx) = (operands.Operand(stream), GradientOf(name + ".weight"), new double[values.Length]);
            if (bias is not null)
            {
                var dbias = GradientOf(name + ".bias");
                for (var row = 0; row < rows; row++) Add(dbias, stream.AsSpan(row * outputs, outputs));
            }
            Parallel.For(0, outputs, o =>
            {
                for (var row = 0; row < rows; row++) AddScaled(dweight.AsSpan(o * inputs, inputs), values.AsSpan(row * inputs, inputs), dy[(row * outputs) + o]);
            });
            Parallel.For(0, rows, row =>
            {
                for (var o = 0; o < outputs; o++) AddScaled(dx.AsSpan(row * inputs, inputs), weight.AsSpan(o * inputs, inputs), dy[(row * outputs) + o]);
            });
            x.AddGradient(dx);
        });
    }

    /// <summary>FAVOR+ attention of a cell.</summary>
    public ValuesInFloat64 Attend(ValuesInFloat64 q, ValuesInFloat64 k, ValuesInFloat64 v, string projection, RoundingInFloat64 stored)
    {
        var attention = new AttentionInFloat64(sizes, weights[projection], q.Data, k.Data, v.Data);
        return Record(new ValuesInFloat64(attention.Forward(), stored), dy =>
        {
            var (dq, dk, dv) = attention.Backward(dy);
            q.AddGradient(dq);
            k.AddGradient(dk);
            v.AddGradient(dv);
        });
    }

    private ValuesInFloat64 Record(ValuesInFloat64 result, Action<double[]> backward)
    {
        if (gradients is not null) steps.Push(() => backward(result.Gradient ?? throw new InvalidOperationException("The loss does not depend on this value.")));
        return result;
    }

    private static double Phi(double x) => 0.5 * (1 + SpecialFunctions.Erf(x / Math.Sqrt(2)));
}
