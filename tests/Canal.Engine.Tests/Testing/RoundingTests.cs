using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Testing;

public sealed class RoundingTests
{
    // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3·2^-8 between 1 + 2^-7 and 1 + 2^-6.
    [Theory]
    [InlineData(DType.BFloat16, 1.00390625f, 1f)]
    [InlineData(DType.BFloat16, 1.01171875f, 1.015625f)]
    [InlineData(DType.BFloat16, 1.0039064f, 1.0078125f)]
    [InlineData(DType.BFloat16, 3.4e38f, float.PositiveInfinity)]
    [InlineData(DType.BFloat16, -3.38e38f, -3.3762391e38f)]
    [InlineData(DType.BFloat16, 1.4e-45f, 0f)]
    [InlineData(DType.Float16, 1.00048828125f, 1f)]
    [InlineData(DType.Float16, 65520f, float.PositiveInfinity)]
    [InlineData(DType.Float16, 65519f, 65504f)]
    [InlineData(DType.Float16, 2.98e-8f, 0f)]
    [InlineData(DType.Float32, 0.1f, 0.1f)]
    public void Ties_go_to_even_and_what_is_too_large_to_infinity(DType type, float x, float expected)
    {
        Assert.Equal(expected, Rounding.To(type, x));
        Assert.Equal(-expected, Rounding.To(type, -x));
        Assert.Equal([expected], Rounding.Widened(type, Rounding.Bytes(type, [x])));
        Assert.True(float.IsNaN(Rounding.To(type, float.NaN)));
    }
}
