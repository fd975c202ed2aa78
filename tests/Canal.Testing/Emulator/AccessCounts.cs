using System.Runtime.InteropServices;

namespace Canal.Testing.Emulator;

/// <summary>
/// What a kernel's loads and stores cost a card. A request is what a warp asks for at one place at once; a sector is 32 bytes of global memory, a
/// wavefront what shared memory answers in one go. Ideal are as few as hold the bytes that are wanted.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct AccessCounts
{
    /// <summary>Requests to global memory.</summary>
    public long GlobalRequests { get; init; }

    /// <summary>Sectors that they touch.</summary>
    public long GlobalSectors { get; init; }

    /// <summary>Sectors that would hold the same bytes.</summary>
    public long IdealGlobalSectors { get; init; }

    /// <summary>Requests to shared memory.</summary>
    public long SharedRequests { get; init; }

    /// <summary>Wavefronts that they need.</summary>
    public long SharedWavefronts { get; init; }

    /// <summary>Wavefronts without bank conflicts.</summary>
    public long IdealSharedWavefronts { get; init; }

    /// <summary>Share of the touched sectors that is needed, 0 to 1.</summary>
    public double SectorEfficiency => GlobalSectors == 0 ? 1 : (double)IdealGlobalSectors / GlobalSectors;

    /// <summary>Wavefronts that bank conflicts add to each that is needed.</summary>
    public double ConflictsPerWavefront => IdealSharedWavefronts == 0 ? 0 : (double)(SharedWavefronts - IdealSharedWavefronts) / IdealSharedWavefronts;

    /// <summary>Two launches together.</summary>
    public static AccessCounts operator +(AccessCounts a, AccessCounts b) => new()
    {
        GlobalRequests = a.GlobalRequests + b.GlobalRequests,
        GlobalSectors = a.GlobalSectors + b.GlobalSectors,
        IdealGlobalSectors = a.IdealGlobalSectors + b.IdealGlobalSectors,
        SharedRequests = a.SharedRequests + b.SharedRequests,
        SharedWavefronts = a.SharedWavefronts + b.SharedWavefronts,
        IdealSharedWavefronts = a.IdealSharedWavefronts + b.IdealSharedWavefronts,
    };
}
