using System.Runtime.CompilerServices;

namespace Canal.Engine.Random;

/// <summary>
/// The random numbers at one (seed, purpose, stage, epoch, index), in order. Philox counter, low word first: block within the stream,
/// index, epoch, then stage in the low 24 bits under the purpose in the high 8. Two streams never overlap; a stream ends after 2^34 words.
/// A value type so that a step allocates nothing: pass it by <c>ref</c>, a copy repeats the same numbers.
/// </summary>
public struct RandomSequence
{
    private const int StageBits = 24;
    private readonly ulong seed;
    private readonly uint index, epoch, purposeAndStage;
    private PhiloxBlock words;
    private uint block;
    private int used;
    private double spareNormal;
    private bool hasSpareNormal;

    /// <summary>The stream at these coordinates.</summary>
    /// <param name="seed">The run's seed: Philox's key.</param>
    /// <param name="purpose">What the numbers are for.</param>
    /// <param name="stage">Stage of continual learning, 0 to 2^24 - 1; 0 before any.</param>
    /// <param name="epoch">Epoch, or another outer count; not negative.</param>
    /// <param name="index">Cell, parameter, block, ...; below 2^32.</param>
    public RandomSequence(ulong seed, RandomPurpose purpose, int stage = 0, int epoch = 0, long index = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(stage);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(stage, 1 << StageBits);
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(index, uint.MaxValue);
        this.seed = seed;
        this.index = (uint)index;
        this.epoch = (uint)epoch;
        purposeAndStage = ((uint)purpose << StageBits) | (uint)stage;
        used = 4;
    }

    /// <summary>A uniform 32-bit word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint NextWord()
    {
        if (used == 4)
        {
            words = Philox.Block(new PhiloxBlock(block, index, epoch, purposeAndStage), seed);
            block = checked(block + 1);
            used = 0;
        }
        return used++ switch { 0 => words.X0, 1 => words.X1, 2 => words.X2, _ => words.X3 };
    }

    /// <summary>A uniform 64-bit word: two words, low first.</summary>
    public ulong NextLong()
    {
        ulong low = NextWord();
        return low | ((ulong)NextWord() << 32);
    }

    /// <summary>Uniform in [0, 1) in steps of 2^-53.</summary>
    public double NextDouble() => (NextLong() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double NextDouble(double low, double high) => low + ((high - low) * NextDouble());

    /// <summary>Uniform in [0, <paramref name="bound"/>), without bias: the multiply-and-reject method of Lemire (2019).</summary>
    public int NextInt(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        unchecked
        {
            var product = (ulong)NextWord() * (uint)bound;
            if ((uint)product < (uint)bound)
            {
                var rejected = (uint)-bound % (uint)bound;
                while ((uint)product < rejected) product = (ulong)NextWord() * (uint)bound;
            }
            return (int)(product >> 32);
        }
    }

    /// <summary>A standard normal deviate: Box and Muller (1958) in float64; two uniforms give a cosine and then a sine deviate.</summary>
    public double NextNormal()
    {
        if (hasSpareNormal)
        {
            hasSpareNormal = false;
            return spareNormal;
        }
        var radius = Math.Sqrt(-2.0 * Math.Log(1.0 - NextDouble()));
        var angle = 2.0 * Math.PI * NextDouble();
        spareNormal = radius * Math.Sin(angle);
        hasSpareNormal = true;
        return radius * Math.Cos(angle);
    }

    /// <summary>Puts the items in uniformly random order (Fisher and Yates, from the last place down).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = NextInt(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>Fills <paramref name="order"/> with a random permutation of 0 .. length - 1.</summary>
    public void Permutation(Span<int> order)
    {
        for (var i = 0; i < order.Length; i++) order[i] = i;
        Shuffle(order);
    }
}
