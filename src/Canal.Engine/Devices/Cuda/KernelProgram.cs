namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// Kernels that are compiled together: few programs, since each compilation has a fixed cost. Programs are compared by identity; those with
/// defines are made once a geometry and kept by the device.
/// </summary>
/// <param name="name">For messages and cache file names.</param>
/// <param name="files">Names of the .cu files in kernels/, in order.</param>
/// <param name="defines">Preprocessor defines, NAME or NAME=VALUE.</param>
public sealed class KernelProgram(string name, IReadOnlyList<string> files, IReadOnlyList<string> defines)
{
    /// <summary>For messages and cache file names.</summary>
    public string Name { get; } = name;

    /// <summary>Names of the .cu files, in order.</summary>
    public IReadOnlyList<string> Files { get; } = files;

    /// <summary>Preprocessor defines.</summary>
    public IReadOnlyList<string> Defines { get; } = defines;

    /// <summary>The program's source: one include a file; the files travel beside it under their own names, so that messages name them.</summary>
    public string Source => string.Concat(Files.Select(file => $"#include \"{file}\"\n"));
}
