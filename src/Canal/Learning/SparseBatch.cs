using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>
/// A batch of cells on the device: sparse tokens go over, dense ones are made there. All memory is taken once, for the largest batch.
/// </summary>
internal sealed class SparseBatch : IDisposable
{
    private readonly Device device;
    private readonly int sequence;
    private readonly int[] offsets;
    private readonly ushort[] positions;
    private readonly byte[] bins;
    private readonly Tensor deviceOffsets, devicePositions, deviceBins, tokens;

    /// <summary>Room for a number of cells.</summary>
    /// <param name="device">Where the batch lives.</param>
    /// <param name="cells">Most cells of a batch.</param>
    /// <param name="genes">Genes of the panel; a sequence is one longer.</param>
    public SparseBatch(Device device, int cells, int genes)
    {
        (this.device, sequence) = (device, genes + 1);
        var entries = checked(cells * genes);
        (offsets, positions, bins) = (new int[cells + 1], new ushort[entries], new byte[entries]);
        deviceOffsets = device.Allocate(DType.Int32, new Shape(cells + 1));
        devicePositions = device.Allocate(DType.UInt16, new Shape(entries));
        deviceBins = device.Allocate(DType.UInt8, new Shape(entries));
        tokens = device.Allocate(DType.UInt8, new Shape(cells, sequence));
    }

    /// <summary>Where each loaded cell's entries start.</summary>
    public ReadOnlySpan<int> Offsets => offsets;

    /// <summary>Positions of the loaded cells' entries.</summary>
    public ReadOnlySpan<ushort> Positions => positions;

    /// <summary>Bins of the loaded cells' entries, to be masked before <see cref="Expand"/>.</summary>
    public Span<byte> Bins => bins;

    /// <summary>Gathers cells on the host; the batch is filled up with empty cells to <paramref name="padTo"/>.</summary>
    public void Gather(ICellTokens source, ReadOnlySpan<int> cells, int padTo = 0)
    {
        var end = 0;
        for (var i = 0; i < cells.Length; i++)
        {
            var count = source.EntryCount(cells[i]);
            source.CopyTo(cells[i], positions.AsSpan(end, count), bins.AsSpan(end, count));
            end += count;
            offsets[i + 1] = end;
        }
        for (var i = cells.Length; i < padTo; i++) offsets[i + 1] = end;
    }

    /// <summary>Sends what was gathered over and makes it dense.</summary>
    /// <param name="cells">Cells of the batch, empty ones included.</param>
    /// <returns>UInt8 [cells, T]; valid until the next call.</returns>
    public Tensor Expand(int cells)
    {
        var entries = offsets[cells];
        device.Write<int>(deviceOffsets.Slice(0, cells + 1), offsets.AsSpan(0, cells + 1));
        var (sentPositions, sentBins) = (devicePositions.Slice(0, entries), deviceBins.Slice(0, entries));
        device.Write<ushort>(sentPositions, positions.AsSpan(0, entries));
        device.Write<byte>(sentBins, bins.AsSpan(0, entries));
        var dense = tokens.Slice(0, cells);
        device.Run(new ExpandTokens(dense, deviceOffsets.Slice(0, cells + 1), sentPositions, sentBins));
        return dense;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        deviceOffsets.Storage.Dispose();
        devicePositions.Storage.Dispose();
        deviceBins.Storage.Dispose();
        tokens.Storage.Dispose();
    }
}
