using Canal.Engine.Random;
using Canal.Testing;

namespace Canal.Engine.Tests.Random;

public sealed class BlockOrthogonalProjectionTests
{
    [SkippableTheory]
    [InlineData("projection_266x64", 266, 64)]
    [InlineData("projection_33x16", 33, 16)]
    public void Agrees_with_the_reference_given_its_draws(string file, int features, int width)
    {
        var golden = SharedFiles.Golden("favor", file);
        var blocks = Enumerable.Range(0, (features + width - 1) / width).Select(j => golden.Doubles($"block{j}")).ToArray();
        var projection = BlockOrthogonalProjection.FromDraws(features, width, blocks, golden.Doubles("multiplier_draws"));

        // Householder QR is backward stable: a few hundred float64 roundoffs at the scale of the largest element, about 10.
        Closeness.Assert("P in float64", projection, golden.Doubles("matrix_f64"), 1e-12);
        // The reference's float32 P is a QR in float32; ours is rounded once. Its own gap to float64 bounds the difference.
        Closeness.Assert("P in float32", [.. projection.Select(value => (float)value)], golden.Doubles("matrix_f32"),
            1.01 * MaximumGap(golden.Doubles("matrix_f32"), golden.Doubles("matrix_f64")) + 1e-6);
    }

    [Theory]
    [InlineData(44, 16)]
    [InlineData(64, 16)]
    [InlineData(5, 8)]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    public void Rows_are_orthogonal_within_a_block(int features, int width)
    {
        var stream = new RandomSequence(3, RandomPurpose.Projection);
        var projection = BlockOrthogonalProjection.Draw(features, width, ref stream);
        Assert.Equal(features * width, projection.Length);
        for (var i = 0; i < features; i++)
        {
            for (var j = i / width * width; j < i; j++)
            {
                double dot = 0, left = 0, right = 0;
                for (var c = 0; c < width; c++)
                {
                    dot += (double)projection[(i * width) + c] * projection[(j * width) + c];
                    left += Math.Pow(projection[(i * width) + c], 2);
                    right += Math.Pow(projection[(j * width) + c], 2);
                }
                // Each element was rounded once to float32.
                Assert.True(Math.Abs(dot) <= 4e-7 * Math.Sqrt(left * right), $"rows {i} and {j}: {dot}");
            }
        }
    }

    [Fact]
    public void Row_lengths_are_chi_distributed_and_the_draw_repeats()
    {
        var stream = new RandomSequence(3, RandomPurpose.Projection, index: 4);
        var again = new RandomSequence(3, RandomPurpose.Projection, index: 4);
        var projection = BlockOrthogonalProjection.Draw(2000, 16, ref stream);
        Assert.Equal(projection, BlockOrthogonalProjection.Draw(2000, 16, ref again));
        // E |row|^2 = D with variance 2 D a row: five standard errors.
        var meanSquare = projection.Sum(value => (double)value * value) / 2000;
        Assert.InRange(meanSquare, 16 - (5 * Math.Sqrt(32.0 / 2000)), 16 + (5 * Math.Sqrt(32.0 / 2000)));
    }

    private static double MaximumGap(double[] left, double[] right) => left.Zip(right, (a, b) => Math.Abs(a - b)).Max();
}
