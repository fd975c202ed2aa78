using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// Arithmetic of a CUDA device as a pair (design.md, Precision): the element type of activations where nothing is recorded, and where a backward
/// pass follows. The residual stream, master weights, accumulators, maxima, normalisers and weight gradients are float32 in all.
/// </summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Forward">Element type of activations in inference and frozen prefixes.</param>
/// <param name="Training">Element type of activations and their gradients where a backward pass follows; never float16.</param>
/// <param name="Tf32">Whether products of float32 operands may round them to TF32.</param>
public sealed record CudaPrecision(string Name, DType Forward, DType Training, bool Tf32)
{
    /// <summary>float32 everywhere; every architecture.</summary>
    public static CudaPrecision Fp32 { get; } = new("fp32", DType.Float32, DType.Float32, false);

    /// <summary>float32 with TF32 products; 8.0 and up.</summary>
    public static CudaPrecision Tf32Products { get; } = new("tf32", DType.Float32, DType.Float32, true);

    /// <summary>bfloat16 forward and backward; 8.0 and up.</summary>
    public static CudaPrecision Bf16 { get; } = new("bf16", DType.BFloat16, DType.BFloat16, true);

    /// <summary>float16 forward, float32 training; 7.5 and up.</summary>
    public static CudaPrecision F16 { get; } = new("f16", DType.Float16, DType.Float32, false);

    /// <summary>All pairs.</summary>
    public static IReadOnlyList<CudaPrecision> All { get; } = [Fp32, Tf32Products, Bf16, F16];

    /// <summary>Whether an architecture (compute capability times ten) has it.</summary>
    public bool Fits(int architecture) => this == Fp32 || (this == F16 ? architecture >= 75 : architecture >= 80);

    /// <summary>The default of an architecture: bf16 from 8.0, f16 on 7.5, fp32 before.</summary>
    public static CudaPrecision DefaultFor(int architecture) => architecture >= 80 ? Bf16 : architecture >= 75 ? F16 : Fp32;
}
