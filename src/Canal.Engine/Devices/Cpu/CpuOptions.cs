namespace Canal.Engine.Devices.Cpu;

/// <summary>How a <see cref="CpuDevice"/> is made. None of these changes a single bit of any result.</summary>
public sealed record CpuOptions
{
    /// <summary>Worker threads, the calling thread included; null means all cores.</summary>
    public int? Threads { get; init; }

    /// <summary>Width of the vector instructions in bits: 512, 256 or 128; null means the fastest, <see cref="CpuBenchmark.FastestVectorBits"/>.</summary>
    public int? VectorBits { get; init; }

    /// <summary>Most bytes that the device's pool may hold; null means no limit.</summary>
    public nuint? MemoryLimit { get; init; }
}
