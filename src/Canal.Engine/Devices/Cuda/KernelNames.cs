using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>A kernel's instances by element type: <c>stem_f32</c>, <c>stem_f16</c>, <c>stem_bf16</c>. Made once, so that a launch builds no string.</summary>
internal sealed class KernelNames(string stem)
{
    private readonly string f32 = stem + "_f32", f16 = stem + "_f16", bf16 = stem + "_bf16";

    /// <summary>The instance for an element type.</summary>
    public string For(DType type) => type switch
    {
        DType.Float32 => f32,
        DType.Float16 => f16,
        DType.BFloat16 => bf16,
        _ => throw new NotSupportedException($"{stem}: no kernel for {type}."),
    };
}
