using System.Runtime.CompilerServices;

namespace Canal.Engine.Random;

/// <summary>Four 32-bit words: a counter of <see cref="Philox"/> or what it turns a counter into.</summary>
/// <param name="X0">Lowest word.</param>
/// <param name="X1">Second word.</param>
/// <param name="X2">Third word.</param>
/// <param name="X3">Highest word.</param>
public readonly record struct PhiloxBlock(uint X0, uint X1, uint X2, uint X3);

/// <summary>
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11: "Parallel random numbers: as easy as 1, 2, 3"): a keyed function of a counter.
/// There is no state, so no draw depends on the order in which draws are made.
/// </summary>
public static class Philox
{
    private const int Rounds = 10;
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>The random block at a counter, under a 64-bit key (low word first).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PhiloxBlock Block(PhiloxBlock counter, ulong key)
    {
        unchecked
        {
            var (x0, x1, x2, x3) = counter;
            var (key0, key1) = ((uint)key, (uint)(key >> 32));
            for (var round = 0; round < Rounds; round++)
            {
                var product0 = (ulong)Multiplier0 * x0;
                var product1 = (ulong)Multiplier1 * x2;
                (x0, x1, x2, x3) = ((uint)(product1 >> 32) ^ x1 ^ key0, (uint)product1, (uint)(product0 >> 32) ^ x3 ^ key1, (uint)product0);
                key0 += Weyl0;
                key1 += Weyl1;
            }
            return new PhiloxBlock(x0, x1, x2, x3);
        }
    }
}
