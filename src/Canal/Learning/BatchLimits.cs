using System.Globalization;
using Canal.Engine.Layers;

namespace Canal.Learning;

/// <summary>Where a batch meets a model: buffers of a step are indexed with 32 bits, so that cells × genes must fit there.</summary>
internal static class BatchLimits
{
    /// <summary>Refuses a batch whose largest buffer on the host would be too long.</summary>
    /// <param name="batch">Cells of a batch.</param>
    /// <param name="geometry">The model's sizes.</param>
    /// <param name="valuesEach">Values that the host reads for each position: 1, or the classes of the masked-expression head.</param>
    /// <exception cref="UserException">Says the largest batch for this model.</exception>
    public static void Check(int batch, EncoderGeometry geometry, int valuesEach)
    {
        var each = (long)geometry.Positions * valuesEach;
        var most = Array.MaxLength / each;
        if (batch <= most) return;
        throw new UserException(string.Create(
            CultureInfo.InvariantCulture, $"batch is {batch}; with the {geometry.Positions - 1} genes of this model it can be {most} at most: lower --batch (\"batch\" in a stream file) or the gene panel."));
    }

    /// <summary>Cells an update of pre-training.</summary>
    /// <exception cref="UserException">They are too many to count.</exception>
    public static int CellsPerUpdate(int batch, int accumulation) => (long)batch * accumulation <= int.MaxValue ? batch * accumulation
        : throw new UserException(string.Create(CultureInfo.InvariantCulture, $"{accumulation} batches of {batch} cells an update are too many: lower --accumulation or --batch."));
}
