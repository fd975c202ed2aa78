using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>golden/favor: 2 cells, 3 heads of 16, 17 tokens, 33 features, computed by the reference implementation.</summary>
internal static class GoldenFavor
{
    public const int Cells = 2, Heads = 3, Tokens = 17, Width = 16, Features = 33;
    private const double UnitRoundoff = 1.0 / (1 << 24);

    /// <summary>Sizes, in batch scope.</summary>
    public static readonly FavorSizes Batch = new(Cells, Tokens, Heads, Width, Features, KeyMaximumScope.Batch);

    /// <summary>Inputs and output gradients.</summary>
    public static FavorProblem Problem(FavorSizes sizes)
    {
        var inputs = SharedFiles.Golden("favor", "inputs");
        return new FavorProblem(
            sizes,
            ByRows(inputs.Floats("q"), Width),
            ByRows(inputs.Floats("k"), Width),
            ByRows(inputs.Floats("v"), Width),
            inputs.Floats("projection"),
            ByRows(inputs.Floats("w_out"), Width));
    }

    /// <summary>Compares with a recorded tensor.</summary>
    public static void Assert(string name, float[] actual) =>
        Closeness.Assert(name, actual, ByRows(SharedFiles.Golden("favor", "outputs_f64").Doubles(name), Width), Allowed(name));

    // Twice the error of the reference's own float32 run, and two roundoffs at the scale of the tensor, or of the values that outputs are means of.
    /// <summary>The tolerance of a recorded tensor.</summary>
    public static double Allowed(string name)
    {
        var exact = SharedFiles.Golden("favor", "outputs_f64").Doubles(name);
        var single = SharedFiles.Golden("favor", "outputs_f32").Floats(name);
        var scale = name.EndsWith("out", StringComparison.Ordinal)
            ? Closeness.Scale(SharedFiles.Golden("favor", "inputs").Doubles("v")) : Closeness.Scale(exact);
        return (2 * FavorRun.MaxError(single, exact)) + (2 * UnitRoundoff * scale);
    }

    /// <summary>[B, H, T, D] to [B·T, H·D].</summary>
    public static T[] ByRows<T>(T[] values, int width)
    {
        var rows = new T[values.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var (d, t, h, b) = (i % width, i / width % Tokens, i / (width * Tokens) % Heads, i / (width * Tokens * Heads));
            rows[(((((b * Tokens) + t) * Heads) + h) * width) + d] = values[i];
        }
        return rows;
    }
}
