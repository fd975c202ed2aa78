using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Which units do an operation's arithmetic.</summary>
internal enum Arithmetic
{
    Float32,
    TensorTf32,
    TensorHalf,
}

/// <summary>A kernel's launch.</summary>
/// <param name="Program">The kernel's program.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="Shape">Grid, block and dynamic shared memory.</param>
internal sealed record KernelLaunch(KernelProgram Program, string Kernel, LaunchShape Shape);

/// <summary>One run of an operation, as it declared itself, and what it launched.</summary>
internal sealed class OperationRun
{
    public required string Name { get; init; }

    /// <summary>Shape of the first tensor that it declares.</summary>
    public required string Size { get; init; }

    public required long Flops { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Exponentials that the mathematics needs at least.</summary>
    public required long Exponentials { get; init; }

    /// <summary>Sizes of FAVOR+, where the operation is its forward or backward pass.</summary>
    public FavorSizes? Attention { get; init; }

    public Arithmetic Arithmetic { get; set; }

    public List<KernelLaunch> Launches { get; } = [];

    /// <summary>The kernels' programs, each once.</summary>
    public string Programs => string.Join(", ", Launches.Select(launch => launch.Program.Name).Distinct());

    /// <summary>The kernels, each once, in the order of their first launch.</summary>
    public string Kernels => string.Join(", ", Launches.Select(launch => launch.Kernel).Distinct());
}
