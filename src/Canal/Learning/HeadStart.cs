using Canal.Engine.Layers;

namespace Canal.Learning;

/// <summary>
/// Starts the filter of a new cell-type head so that genes get through its ReLU. The head looks at a gene through one filter; all genes of an
/// encoder's output share a large common part, and where a random filter lies against it nearly every gene is cut off: no gradient passes,
/// and training ends at the most frequent type (one seed in three did on real blood cells). The filter's bias is set by what it gives for cells that are
/// trained on (data-dependent initialisation; Krähenbühl et al., ICLR 2016): one standard deviation above zero on average.
/// </summary>
internal static class HeadStart
{
    private const int Cells = 64;

    /// <summary>Sets the bias of the network's filter.</summary>
    /// <param name="network">The network, its head new.</param>
    /// <param name="pool">Its cells.</param>
    /// <param name="prefix">The frozen blocks' outputs, or null to compute them.</param>
    public static void Settle(CellTypeNetwork network, StagePool pool, ActivationCache? prefix)
    {
        var parameters = network.Parameters;
        var shift = LargestResponse(network);
        parameters.Write(CellTypeHead.FilterBiasName, [(float)shift]);
        var count = Math.Min(Cells, pool.Training.Length);
        var cells = new int[count];
        for (var i = 0; i < count; i++) cells[i] = pool.Training[(int)((long)i * pool.Training.Length / count)];
        var (sum, squares, values) = (0.0, 0.0, 0L);
        using (var inference = new CellTypeInference(network, prefix))
        {
            for (var first = 0; first < count; first += inference.BatchCells)
            {
                var batch = cells.AsSpan(first, Math.Min(inference.BatchCells, count - first));
                foreach (var value in network.Device.Read<float>(inference.Forward(pool.Tokens, batch).Filtered.Value.Slice(0, batch.Length)))
                {
                    var response = value - shift;
                    (sum, squares, values) = (sum + response, squares + (response * response), values + 1);
                }
                inference.End();
            }
        }
        var mean = sum / values;
        parameters.Write(CellTypeHead.FilterBiasName, [(float)(Math.Sqrt(Math.Max(0, (squares / values) - (mean * mean))) - mean)]);
    }

    // With a bias of this nothing is cut off: a normalised row is nowhere larger than sqrt(C).
    private static double LargestResponse(CellTypeNetwork network)
    {
        var parameters = network.Parameters;
        var (filter, scale, offset) = (parameters.Read(CellTypeHead.FilterName), parameters.Read("norm.weight"), parameters.Read("norm.bias"));
        var (largest, sum) = (Math.Sqrt(network.Encoder.Geometry.Width), 0.0);
        for (var c = 0; c < filter.Length; c++) sum += Math.Abs(filter[c]) * ((Math.Abs(scale[c]) * largest) + Math.Abs(offset[c]));
        return sum;
    }
}
