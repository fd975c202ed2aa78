using Canal.Interop.Cublas;

namespace Canal.Interop.Cuda;

/// <summary>Something that Canal needs for a GPU and does not have.</summary>
/// <param name="Problem">The kind of trouble.</param>
/// <param name="What">What is wrong.</param>
/// <param name="Cure">What to do about it.</param>
public sealed record CudaLack(CudaProblem Problem, string What, string Cure)
{
    internal CudaLack(CudaException refused) : this(refused.Problem, refused.What, refused.Cure) { }
}

/// <summary>A part of what a GPU needs: a library.</summary>
/// <param name="Version">Its version; null where it is missing or was refused before it was known.</param>
/// <param name="File">Where it lies; empty where it is missing or was refused.</param>
/// <param name="Lack">What is wrong; null where nothing is.</param>
public sealed record CudaPart(Version? Version, string File, CudaLack? Lack);

/// <summary>A GPU that the driver shows.</summary>
/// <param name="Device">What it is.</param>
/// <param name="Lack">Why Canal cannot use it; null where it can.</param>
public sealed record CudaFoundDevice(CudaDevice Device, CudaLack? Lack);

/// <summary>What this machine has for a GPU.</summary>
/// <param name="Driver">The driver.</param>
/// <param name="Devices">The GPUs it shows; empty where there is no driver.</param>
/// <param name="Cublas">cuBLAS: started on the first GPU that will do, or only loaded where there is none.</param>
public sealed record CudaFindings(CudaPart Driver, IReadOnlyList<CudaFoundDevice> Devices, CudaPart Cublas)
{
    /// <summary>Whether a device can be opened and multiply; NVRTC is another matter.</summary>
    public bool Usable => Driver.Lack is null && Cublas.Lack is null && Devices.Any(found => found.Lack is null);
}

/// <summary>Looks for everything a GPU needs, for <c>canal doctor</c>.</summary>
public static class CudaProbe
{
    private const int TrialBytes = 1 << 20;

    /// <summary>Looks for it. Never throws: what is wrong stands in the findings.</summary>
    public static CudaFindings Run() => Run(CudaDriver.Load, CublasLibrary.Load);

    internal static CudaFindings Run(Func<CudaDriver> loadDriver, Func<int, CublasLibrary> loadCublas)
    {
        CudaDriver? driver = null;
        var driverPart = Try(() => driver = loadDriver(), loaded => (loaded.Version, loaded.File));
        var devices = new List<CudaFoundDevice>();
        var device = -1;
        if (driver is not null)
        {
            var listed = Try(() => List(driver, devices), _ => (driver.Version, driver.File));
            driverPart = listed with { Version = driver.Version, File = driver.File };
            device = devices.FindIndex(found => found.Lack is null);
        }
        var cublas = Try(() => loadCublas(driver?.Version.Major ?? int.MaxValue), loaded => (loaded.Version, loaded.File), loaded => { if (device >= 0) Start(driver!, device, loaded); });
        return new CudaFindings(driverPart, devices, cublas);
    }

    private static CudaDriver List(CudaDriver driver, List<CudaFoundDevice> devices)
    {
        for (int ordinal = 0, count = driver.DeviceCount(); ordinal < count; ordinal++)
        {
            var device = driver.Device(ordinal);
            devices.Add(new CudaFoundDevice(device, device.Refusal is { } refusal ? new CudaLack(refusal) : null));
        }
        return driver;
    }

    /// <summary>Starts cuBLAS and lets it go: a library that loads may still refuse the device or the driver.</summary>
    private static void Start(CudaDriver driver, int ordinal, CublasLibrary library)
    {
        using var context = driver.OpenContext(ordinal);
        using var stream = context.CreateStream();
        using var workspace = context.Allocate(TrialBytes);
        CublasHandle.Create(library, stream, workspace).Dispose();
    }

    private static CudaPart Try<T>(Func<T> load, Func<T, (Version Version, string File)> describe, Action<T>? use = null)
    {
        var (version, file) = ((Version?)null, "");
        try
        {
            var loaded = load();
            (version, file) = describe(loaded);
            use?.Invoke(loaded);
            return new CudaPart(version, file, null);
        }
        catch (CudaException refused)
        {
            return new CudaPart(version, file, new CudaLack(refused));
        }
#pragma warning disable CA1031 // A look at the machine must not fail because of what it sees.
        catch (Exception unexpected)
#pragma warning restore CA1031
        {
            return new CudaPart(version, file, new CudaLack(CudaProblem.CallFailed, $"{unexpected.GetType().Name}: {unexpected.Message}", "report this line: it is a defect"));
        }
    }
}
