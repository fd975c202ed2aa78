namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>
/// A register of float32 lanes. Kernels are written once over <typeparamref name="TSelf"/> and compiled for 512, 256 and
/// 128 bits; every operation here gives the same bits in a lane whatever the width, so the width never shows in a result.
/// Bit patterns of integers travel in the same type; a comparison gives a mask of all-ones or all-zero lanes.
/// </summary>
/// <typeparam name="TSelf">The implementing struct.</typeparam>
public unsafe interface IVector<TSelf> where TSelf : struct, IVector<TSelf>
{
    /// <summary>Number of lanes: 16, 8 or 4. A constant to the JIT.</summary>
    static abstract int Count { get; }

    /// <summary>All lanes zero.</summary>
    static abstract TSelf Zero { get; }

    /// <summary>All lanes <paramref name="value"/>.</summary>
    static abstract TSelf Create(float value);

    /// <summary>All lanes the bit pattern <paramref name="bits"/>.</summary>
    static abstract TSelf CreateBits(int bits);

    /// <summary>Loads <see cref="Count"/> floats from any address.</summary>
    static abstract TSelf Load(float* source);

    /// <summary>Loads <see cref="Count"/> floats from an address that is a multiple of the register's bytes.</summary>
    static abstract TSelf LoadAligned(float* source);

    /// <summary>Loads the first <paramref name="count"/> floats (0 or less: none; <see cref="Count"/> or more: all) and zeros; touches no other memory.</summary>
    static abstract TSelf Load(float* source, int count);

    /// <summary>Stores all lanes to any address.</summary>
    static abstract void Store(TSelf value, float* target);

    /// <summary>Stores all lanes to an aligned address.</summary>
    static abstract void StoreAligned(TSelf value, float* target);

    /// <summary>Stores the first <paramref name="count"/> lanes (clamped to 0..<see cref="Count"/>); touches no other memory.</summary>
    static abstract void Store(TSelf value, float* target, int count);

    /// <summary>a + b.</summary>
    static abstract TSelf operator +(TSelf a, TSelf b);

    /// <summary>a - b.</summary>
    static abstract TSelf operator -(TSelf a, TSelf b);

    /// <summary>a · b, never contracted into an FMA.</summary>
    static abstract TSelf operator *(TSelf a, TSelf b);

    /// <summary>a / b, correctly rounded.</summary>
    static abstract TSelf operator /(TSelf a, TSelf b);

    /// <summary>a · b + c with one rounding, always.</summary>
    static abstract TSelf FusedMultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>c - a · b with one rounding, always.</summary>
    static abstract TSelf FusedNegatedMultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>a > b ? a : b; so <paramref name="b"/> where either is NaN.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>b > a ? a : b; so <paramref name="b"/> where either is NaN.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>Correctly rounded square root.</summary>
    static abstract TSelf Sqrt(TSelf a);

    /// <summary>Mask of a &lt; b; false for NaN.</summary>
    static abstract TSelf LessThan(TSelf a, TSelf b);

    /// <summary>Mask of a &lt;= b; false for NaN.</summary>
    static abstract TSelf LessThanOrEqual(TSelf a, TSelf b);

    /// <summary>Mask of a = b; false for NaN.</summary>
    static abstract TSelf Equal(TSelf a, TSelf b);

    /// <summary>Lanes of <paramref name="whenTrue"/> where the mask is set, of <paramref name="whenFalse"/> elsewhere.</summary>
    static abstract TSelf Select(TSelf mask, TSelf whenTrue, TSelf whenFalse);

    /// <summary>Bitwise and.</summary>
    static abstract TSelf operator &(TSelf a, TSelf b);

    /// <summary>Bitwise or.</summary>
    static abstract TSelf operator |(TSelf a, TSelf b);

    /// <summary>Bitwise exclusive or.</summary>
    static abstract TSelf operator ^(TSelf a, TSelf b);

    /// <summary>Adds the lanes' bit patterns as 32-bit integers, wrapping.</summary>
    static abstract TSelf AddBits(TSelf a, TSelf b);

    /// <summary>Shifts the lanes' bit patterns left.</summary>
    static abstract TSelf ShiftLeftBits(TSelf a, int count);

    /// <summary>Float to 32-bit integer bit pattern, towards zero; inputs must be inside the integer range.</summary>
    static abstract TSelf ToBits(TSelf a);

    /// <summary>32-bit integer bit patterns to floats, rounded to nearest.</summary>
    static abstract TSelf FromBits(TSelf a);
}
