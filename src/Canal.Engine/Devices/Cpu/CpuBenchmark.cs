using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>A timed product.</summary>
/// <param name="M">Rows.</param>
/// <param name="N">Columns.</param>
/// <param name="K">Inner size.</param>
/// <param name="Threads">Threads of the device.</param>
/// <param name="VectorBits">Vector width.</param>
/// <param name="MedianSeconds">Median of all runs.</param>
/// <param name="BestSeconds">The fastest run: what the machine can do when nothing disturbs it.</param>
/// <param name="Runs">Number of runs timed.</param>
public sealed record MatMulTiming(int M, int N, int K, int Threads, int VectorBits, double MedianSeconds, double BestSeconds, int Runs)
{
    /// <summary>10^9 floating-point operations a second in the median run.</summary>
    public double GigaflopsPerSecond => 2e-9 * M * N * K / MedianSeconds;
}

/// <summary>Measures what the processor can do: for <c>doctor</c>, for <c>bench</c>, and to choose a vector width where that is open.</summary>
public static unsafe class CpuBenchmark
{
    private const int MinimumRuns = 5;
    private static readonly Lazy<int> Fastest = new(ChooseVectorBits);

    /// <summary>
    /// The vector width to use: 512 bits where the runtime recommends them, else the widest below; but where the processor has AVX-512
    /// and the runtime does not recommend it (it may lower the clock), what a timing of some milliseconds found faster.
    /// </summary>
    public static int FastestVectorBits => Fastest.Value;

    /// <summary>Vector widths that this processor has, widest first.</summary>
    public static IEnumerable<int> VectorWidths
    {
        get
        {
            if (Avx512F.IsSupported) yield return 512;
            if (Vector256.IsHardwareAccelerated) yield return 256;
            yield return 128;
        }
    }

    /// <summary>Times C = A B^T on a device: the form of every linear layer.</summary>
    /// <param name="device">Where it runs; its pool must have room for A, B and C.</param>
    /// <param name="m">Rows.</param>
    /// <param name="n">Columns.</param>
    /// <param name="k">Inner size.</param>
    /// <param name="seconds">Time to spend; at least five runs after one that warms up.</param>
    public static MatMulTiming Time(CpuDevice device, int m, int n, int k, double seconds = 0.25)
    {
        var (a, b, c) = (device.Allocate(new Shape(m, k)), device.Allocate(new Shape(n, k)), device.Allocate(new Shape(m, n)));
        try
        {
            device.Run(new Fill(a, 0.5f));
            device.Run(new Fill(b, 0.25f));
            var operation = new MatMul(c, a, b, TransposeB: true);
            device.Run(in operation);
            var times = new List<double>();
            for (var start = Stopwatch.GetTimestamp(); times.Count < MinimumRuns || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds;)
            {
                var from = Stopwatch.GetTimestamp();
                device.Run(in operation);
                times.Add(Stopwatch.GetElapsedTime(from).TotalSeconds);
            }
            times.Sort();
            return new MatMulTiming(m, n, k, device.Workers.Threads, device.VectorBits, times[times.Count / 2], times[0], times.Count);
        }
        finally
        {
            a.Storage.Dispose();
            b.Storage.Dispose();
            c.Storage.Dispose();
        }
    }

    /// <summary>The device's peak: a product that is large enough for all threads, and whose operands stay in cache. Against it the share of peak of other work is stated.</summary>
    public static MatMulTiming Peak(CpuDevice device, double seconds = 0.25) => Time(device, 768 * device.Workers.Threads, 192, 256, seconds);

    /// <summary>GFLOP/s of one thread at a vector width, on tiles that stay in cache: the best of several runs of a fraction of a millisecond.</summary>
    public static double TileGigaflopsPerSecond(int vectorBits) => vectorBits switch
    {
        512 => TimeTile<MicroKernel512>(),
        256 => TimeTile<MicroKernel256>(),
        128 => TimeTile<MicroKernel128>(),
        _ => throw new ArgumentOutOfRangeException(nameof(vectorBits), vectorBits, "Vectors have 512, 256 or 128 bits."),
    };

    private static int ChooseVectorBits()
    {
        if (Vector512.IsHardwareAccelerated) return 512;
        var widest = Vector256.IsHardwareAccelerated ? 256 : 128;
        return Avx512F.IsSupported && TileGigaflopsPerSecond(512) > 1.05 * TileGigaflopsPerSecond(widest) ? 512 : widest;
    }

    private static double TimeTile<TKernel>() where TKernel : struct, IMicroKernel
    {
        // A multiple of every kernel's rows and columns; A, B and C together 160 KB.
        const int rows = 48, columns = 96, depth = 240, runs = 40;
        var floats = (rows * depth) + (depth * columns) + (rows * columns);
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), HostMemory.AlignmentBytes);
        try
        {
            new Span<float>(memory, floats).Fill(0.5f);
            var (a, b) = ((nint)memory, Panels.At(memory + (rows * depth), depth, columns));
            var c = memory + (rows * depth) + (depth * columns);
            var best = double.PositiveInfinity;
            for (var run = 0; run < runs; run++)
            {
                var from = Stopwatch.GetTimestamp();
                for (var i = 0; i < 4; i++) TileProduct.MultiplyPanels<TKernel>(c, columns, (float*)a, depth, 1, b, 0, b.Count, rows, accumulate: false);
                best = Math.Min(best, Stopwatch.GetElapsedTime(from).TotalSeconds);
            }
            return 4 * 2e-9 * rows * columns * depth / best;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }
}
