namespace Canal.Engine.Random;

/// <summary>
/// The random features' projection P (method.md section 2; Choromanski et al. 2021): rows in orthogonal blocks of D from a QR of Gaussian
/// draws, each row rescaled to the norm of an independent Gaussian row.
/// </summary>
public static class BlockOrthogonalProjection
{
    /// <summary>Draws P [features, headWidth], row-major: blocks first, then the rows that give the lengths. Rounded to float32 once.</summary>
    /// <param name="features">M.</param>
    /// <param name="headWidth">D.</param>
    /// <param name="stream">Where the normal deviates come from.</param>
    public static float[] Draw(int features, int headWidth, ref RandomSequence stream)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(features);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(headWidth);
        var blocks = new double[(features + headWidth - 1) / headWidth][];
        for (var b = 0; b < blocks.Length; b++) blocks[b] = Normals(headWidth * headWidth, ref stream);
        var lengths = Normals(features * headWidth, ref stream);
        return [.. FromDraws(features, headWidth, blocks, lengths).Select(value => (float)value)];
    }

    /// <summary>P in float64 from given draws.</summary>
    /// <param name="features">M.</param>
    /// <param name="headWidth">D.</param>
    /// <param name="blocks">ceil(M / D) square matrices [D, D], row-major; changed by the decomposition.</param>
    /// <param name="lengths">[M, D]: row i's norm is the length of P's row i.</param>
    public static double[] FromDraws(int features, int headWidth, double[][] blocks, double[] lengths)
    {
        var projection = new double[features * headWidth];
        for (var row = 0; row < features; row++)
        {
            var (block, column) = (row / headWidth, row % headWidth);
            if (column == 0) HouseholderQr.Orthogonalise(blocks[block], headWidth);
            var squares = 0.0;
            for (var c = 0; c < headWidth; c++) squares += lengths[(row * headWidth) + c] * lengths[(row * headWidth) + c];
            var length = Math.Sqrt(squares);
            for (var c = 0; c < headWidth; c++) projection[(row * headWidth) + c] = length * blocks[block][(c * headWidth) + column];
        }
        return projection;
    }

    private static double[] Normals(int count, ref RandomSequence stream)
    {
        var draws = new double[count];
        for (var i = 0; i < count; i++) draws[i] = stream.NextNormal();
        return draws;
    }
}
