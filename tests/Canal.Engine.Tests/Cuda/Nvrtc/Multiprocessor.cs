namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>What a multiprocessor of an architecture holds (CUDA C++ Programming Guide, technical specifications per compute capability; rules as in cuda_occupancy.h).</summary>
/// <param name="Architecture">Compute capability times ten.</param>
/// <param name="Threads">Most resident threads.</param>
/// <param name="Blocks">Most resident blocks.</param>
/// <param name="SharedBytes">Shared memory.</param>
/// <param name="BlockSharedBytes">Most shared memory of one block.</param>
internal sealed record Multiprocessor(int Architecture, int Threads, int Blocks, int SharedBytes, int BlockSharedBytes)
{
    // Registers are handed out to warps, 256 at a time, and each of the four schedulers has a quarter of them.
    private const int RegistersPerScheduler = 16384, RegisterUnit = 256, Schedulers = 4, WarpSize = 32;

    // The system keeps 1 KB of each block's shared memory from 8.0 on; shared memory is handed out in units.
    private int ReservedSharedBytes => Architecture >= 80 ? 1024 : 0;

    private int SharedUnit => Architecture >= 80 ? 128 : 256;

    public static IReadOnlyList<Multiprocessor> All { get; } =
    [
        new(70, 2048, 32, 96 << 10, 96 << 10),
        new(75, 1024, 16, 64 << 10, 64 << 10),
        new(80, 2048, 32, 164 << 10, 163 << 10),
        new(86, 1536, 16, 100 << 10, 99 << 10),
        new(89, 1536, 24, 100 << 10, 99 << 10),
        new(90, 2048, 32, 228 << 10, 227 << 10),
    ];

    public static Multiprocessor Of(int architecture) => All.Single(multiprocessor => multiprocessor.Architecture == architecture);

    /// <summary>Blocks of a kernel that are resident at once; 0 where it does not fit at all.</summary>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="registers">Registers of a thread.</param>
    /// <param name="sharedBytes">Shared memory of a block, static and dynamic.</param>
    public int BlocksOf(int threads, int registers, int sharedBytes)
    {
        if (sharedBytes > BlockSharedBytes) return 0;
        var warps = (threads + WarpSize - 1) / WarpSize;
        var registersOfWarp = RoundedUp(registers * WarpSize, RegisterUnit);
        // A launch is checked as if every scheduler took as many warps as the one that takes most.
        if (registersOfWarp * RoundedUp(warps, Schedulers) > RegistersPerScheduler * Schedulers) return 0;
        var byRegisters = RegistersPerScheduler / registersOfWarp * Schedulers / warps;
        var byShared = sharedBytes + ReservedSharedBytes == 0 ? Blocks : SharedBytes / RoundedUp(sharedBytes + ReservedSharedBytes, SharedUnit);
        return new[] { Blocks, Threads / (warps * WarpSize), byRegisters, byShared }.Min();
    }

    private static int RoundedUp(int value, int unit) => (value + unit - 1) / unit * unit;
}
