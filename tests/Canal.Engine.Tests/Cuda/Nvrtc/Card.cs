namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>A card as its data sheet has it; nothing here was measured. Rates are dense, at boost clock.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Architecture">Compute capability times ten.</param>
/// <param name="Multiprocessors">Number of multiprocessors.</param>
/// <param name="ClockGigahertz">Boost clock.</param>
/// <param name="BytesPerSecond">Memory bandwidth.</param>
/// <param name="Float32">float32 FLOP a second outside tensor cores.</param>
/// <param name="Tf32">TF32 FLOP a second on tensor cores; that of float32 where there are none.</param>
/// <param name="Half">f16 and bf16 FLOP a second on tensor cores.</param>
internal sealed record Card(string Name, int Architecture, int Multiprocessors, double ClockGigahertz, double BytesPerSecond, double Float32, double Tf32, double Half)
{
    // Base-2 exponentials a clock and multiprocessor, 7.0 to 9.0 (CUDA C++ Programming Guide, arithmetic instructions).
    private const int ExponentialsPerClock = 16;

    public double ExponentialsPerSecond => ExponentialsPerClock * Multiprocessors * ClockGigahertz * 1e9;

    public static Card T4 { get; } = new("T4", 75, 40, 1.59, 320e9, 8.1e12, 8.1e12, 65e12);

    public static Card A100 { get; } = new("A100 80 GB", 80, 108, 1.41, 2039e9, 19.5e12, 156e12, 312e12);

    public static Card H200 { get; } = new("H200", 90, 132, 1.98, 4800e9, 67e12, 494e12, 989e12);

    public static IReadOnlyList<Card> All { get; } = [T4, A100, H200];

    /// <summary>Predicted seconds: the largest of what memory, arithmetic and exponentials alone would take. No launch, no latency, no imbalance.</summary>
    public double Seconds(OperationRun run) => new[] { run.Bytes / BytesPerSecond, run.Flops / Rate(run), run.Exponentials / ExponentialsPerSecond }.Max();

    private double Rate(OperationRun run) => run.Arithmetic switch
    {
        Arithmetic.TensorHalf => Half,
        Arithmetic.TensorTf32 => Tf32,
        _ => Float32,
    };
}
