namespace Canal.Interop;

/// <summary>One of NVIDIA's libraries: its file names, newest first, and what must lie beside it.</summary>
/// <param name="EnvironmentVariable">The variable that names the file to load; when set, no other is tried.</param>
/// <param name="BaseName">The file name without its version: <c>libcublas.so</c>.</param>
/// <param name="Versions">The versions in its soname, newest first: <c>13</c>, <c>12</c>, <c>11.2</c>.</param>
/// <param name="Companion">The base name of a library that this one looks for while it loads or later; empty where there is none.</param>
/// <param name="CompanionFirst">Whether the companion is loaded before it always, or only where it does not load without.</param>
internal sealed record CudaLibrary(string EnvironmentVariable, string BaseName, string[] Versions, string Companion = "", bool CompanionFirst = false)
{
    /// <summary>The driver. Its soname has been version 1 since the first.</summary>
    public static CudaLibrary Driver { get; } = new("CANAL_CUDA", "libcuda.so", ["1"]);

    /// <summary>cuBLAS, which is linked against cublasLt.</summary>
    public static CudaLibrary Cublas { get; } = new("CANAL_CUBLAS", "libcublas.so", ["13", "12", "11"], "libcublasLt.so");

    /// <summary>The run-time compiler. It opens its builtins by name at the first compilation, so these must be in the process by then.</summary>
    public static CudaLibrary Nvrtc { get; } = new("CANAL_NVRTC", "libnvrtc.so", ["13", "12", "11.2"], "libnvrtc-builtins.so", CompanionFirst: true);

    /// <summary>The CUDA major version that a version in <see cref="Versions"/> belongs to.</summary>
    public static int Major(string version) => int.Parse(version.Split('.')[0], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The file name of a version.</summary>
    public string FileName(string version) => $"{BaseName}.{version}";
}
