namespace Canal.Testing;

/// <summary>Seeded inputs for tests of numerics: off centre as well as normal (style R30).</summary>
public static class Sample
{
    /// <summary>Normal deviates with the given mean and standard deviation, rounded to float32.</summary>
    public static float[] Normal(int seed, long count, double mean = 0, double deviation = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < values.Length; i++)
        {
            // Box, Muller 1958.
            var radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(mean + (deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble())));
        }
        return values;
    }

    /// <summary>Uniform values in [low, high).</summary>
    public static float[] Uniform(int seed, long count, double low, double high)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < values.Length; i++) values[i] = (float)(low + ((high - low) * random.NextDouble()));
        return values;
    }

    /// <summary>Uniform integers in [low, high).</summary>
    public static int[] Integers(int seed, long count, int low, int high)
    {
        var random = new Random(seed);
        var values = new int[count];
        for (var i = 0; i < values.Length; i++) values[i] = random.Next(low, high);
        return values;
    }

    /// <summary>Uniform bytes in [0, bound).</summary>
    public static byte[] Bytes(int seed, long count, int bound) => Array.ConvertAll(Integers(seed, count, 0, bound), v => (byte)v);
}
