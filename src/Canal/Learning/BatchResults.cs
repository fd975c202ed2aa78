using System.Runtime.InteropServices;
using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>
/// What the host wants of one micro-batch: its predictions, and rows of other tensors, packed on the device so that one copy brings all of it over.
/// Between <see cref="Take"/> and <see cref="Collect"/> the device may already work on the next micro-batch.
/// </summary>
internal sealed class BatchResults : IDisposable
{
    private const int Top = 3;
    private readonly Device device;
    private readonly Tensor packed, types, probabilities, energy;
    private readonly Tensor[] rows;
    private readonly float[] host;
    private PendingRead pending;

    /// <summary>Takes all memory.</summary>
    /// <param name="device">Where the micro-batches run.</param>
    /// <param name="cells">Cells of a micro-batch.</param>
    /// <param name="widths">Values a cell of each further tensor that is wanted.</param>
    public BatchResults(Device device, int cells, params ReadOnlySpan<int> widths)
    {
        (this.device, Cells) = (device, cells);
        var perCell = (2 * Top) + 1;
        foreach (var width in widths) perCell = checked(perCell + width);
        host = new float[checked(cells * perCell)];
        packed = device.Allocate(new Shape(host.Length));
        types = packed with { Type = DType.Int32, Shape = new Shape(cells, Top) };
        probabilities = packed.Slice(Top * cells, Top * cells).Reshape(new Shape(cells, Top));
        energy = packed.Slice(2 * Top * cells, cells);
        rows = new Tensor[widths.Length];
        var first = ((2 * Top) + 1) * cells;
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = packed.Slice(first, widths[i] * cells).Reshape(new Shape(cells, widths[i]));
            first += widths[i] * cells;
        }
    }

    /// <summary>Cells of a micro-batch.</summary>
    public int Cells { get; }

    /// <summary>[cells, 3]: best types first, -1 where there are fewer.</summary>
    public ReadOnlySpan<int> Types => MemoryMarshal.Cast<float, int>(host.AsSpan(0, Top * Cells));

    /// <summary>[cells, 3]: their probabilities.</summary>
    public ReadOnlySpan<float> Probabilities => Part(probabilities);

    /// <summary>[cells].</summary>
    public ReadOnlySpan<float> Energy => Part(energy);

    /// <summary>Predicts from the logits of a whole micro-batch, keeps the other tensors, and begins to copy everything to the host.</summary>
    /// <param name="logits">[cells, K].</param>
    /// <param name="temperature">T of the energy.</param>
    /// <param name="wanted">[cells, width] each, in the order of the constructor.</param>
    public void Take(Tensor logits, float temperature, params ReadOnlySpan<Tensor> wanted)
    {
        device.Run(new Prediction(types, probabilities, energy, logits, temperature));
        for (var i = 0; i < wanted.Length; i++) device.Copy(rows[i], wanted[i]);
        pending = device.ReadLater(packed);
    }

    /// <summary>Waits for what <see cref="Take"/> began; the values stay until the next call.</summary>
    public void Collect() => device.Collect<float>(pending, host);

    /// <summary>[cells, width] of one of the other tensors.</summary>
    public ReadOnlySpan<float> Rows(int index) => Part(rows[index]);

    /// <inheritdoc/>
    public void Dispose() => packed.Storage.Dispose();

    private ReadOnlySpan<float> Part(Tensor tensor) => host.AsSpan((int)((tensor.Offset - packed.Offset) / sizeof(float)), (int)tensor.Count);
}
