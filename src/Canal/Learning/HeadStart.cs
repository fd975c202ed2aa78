using Canal.Engine.Layers;

namespace Canal.Learning;

/// <summary>
/// Starts the filter of a new cell-type head so that it sees which genes a cell expresses. The head looks at a gene through one filter over the
/// encoder's output. All genes share a large common part there; a random filter sees little of what expression changes, and where it lies
/// against the common part, the ReLU behind it cuts nearly every gene off: training is slow for some seeds and fails for others. So the filter is
/// turned, at the length it was drawn with, to the mean difference between a gene's output in the cells that express it and its output in all cells
/// (a linear discriminant without the covariance), and its bias set one standard deviation of its response above zero on average
/// (data-dependent initialisation; Krähenbühl et al., ICLR 2016).
/// </summary>
internal static class HeadStart
{
    private const int MostCells = 64;

    /// <summary>Sets the network's filter and its bias.</summary>
    /// <param name="network">The network, its head new.</param>
    /// <param name="pool">Its cells.</param>
    /// <param name="prefix">The frozen blocks' outputs, or null to compute them.</param>
    public static void Settle(CellTypeNetwork network, StagePool pool, ActivationCache? prefix)
    {
        var parameters = network.Parameters;
        var cells = new int[Math.Min(MostCells, pool.Training.Length)];
        for (var i = 0; i < cells.Length; i++) cells[i] = pool.Training[(int)((long)i * pool.Training.Length / cells.Length)];
        var response = new FilterResponse(network.Encoder.Geometry, cells.Length);
        using (var inference = new CellTypeInference(network, prefix))
        {
            for (var first = 0; first < cells.Length; first += inference.BatchCells)
            {
                var batch = cells.AsSpan(first, Math.Min(inference.BatchCells, cells.Length - first));
                response.Add(network.Device, inference.ForwardEncoder(pool.Tokens, batch).Value, pool.Tokens, batch);
                inference.End();
            }
        }
        var drawn = parameters.Read(CellTypeHead.FilterName);
        var filter = response.TowardsExpression(drawn);
        parameters.Write(CellTypeHead.FilterName, filter);
        var (mean, deviation) = response.Of(filter);
        parameters.Write(CellTypeHead.FilterBiasName, [(float)(deviation - mean)]);
    }
}
