using System.Runtime.InteropServices;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>
/// One float32 row a cell, written once and read in every epoch (method.md section 6): the frozen blocks' output, or the teacher's
/// representation. In device memory where it fits the limit, else in a scratch file. Values come back with the bits that went in.
/// </summary>
internal abstract class ActivationCache : IDisposable
{
    /// <summary>Whether the rows live in device memory; else in a scratch file.</summary>
    public abstract bool InMemory { get; }

    /// <summary>Copies rows from the device; <paramref name="first"/> is the index of the first of consecutive cells.</summary>
    public abstract void Write(int first, Tensor rows);

    /// <summary>Gathers cells' rows into a device tensor.</summary>
    public abstract void Read(ReadOnlySpan<int> cells, Tensor rows);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Makes a cache.</summary>
    /// <param name="device">The device that uses it.</param>
    /// <param name="cells">Number of rows.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="reserve">Bytes that the device must keep free for the training step.</param>
    /// <param name="scratchFolder">Folder for the scratch file that is used where memory does not do; created where it is missing.</param>
    public static ActivationCache Create(Device device, int cells, int width, nuint reserve, string scratchFolder)
    {
        var bytes = (ulong)cells * (ulong)width * sizeof(float);
        var free = device.Memory.Limit - nuint.Min(device.Memory.Limit, device.Memory.Used);
        // A size class may take an eighth more than asked for.
        return bytes + (bytes / 8) + reserve <= free ? new MemoryCache(device, cells, width)
            : device is PlanDevice ? new PlannedFile() : new FileCache(device, width, scratchFolder, (long)bytes);
    }

    private sealed class MemoryCache : ActivationCache
    {
        private const long ChunkBytes = 64L << 20;
        private readonly Device device;
        private readonly int width;
        private readonly int cellsPerChunk;
        private readonly List<Tensor> chunks = [];

        public MemoryCache(Device device, int cells, int width)
        {
            (this.device, this.width) = (device, width);
            cellsPerChunk = (int)Math.Clamp(ChunkBytes / ((long)width * sizeof(float)), 1, Math.Max(1, cells));
            for (var first = 0; first < cells; first += cellsPerChunk)
            {
                chunks.Add(device.Allocate(new Shape(Math.Min(cellsPerChunk, cells - first), width)));
            }
        }

        public override bool InMemory => true;

        public override void Write(int first, Tensor rows)
        {
            var source = rows.Reshape(new Shape((int)(rows.Count / width), width));
            for (var i = 0; i < source.Shape[0]; i++) device.Copy(Row(first + i), source.Slice(i, 1));
        }

        public override void Read(ReadOnlySpan<int> cells, Tensor rows)
        {
            var target = rows.Reshape(new Shape(cells.Length, width));
            for (var i = 0; i < cells.Length; i++) device.Copy(target.Slice(i, 1), Row(cells[i]));
        }

        public override void Dispose()
        {
            foreach (var chunk in chunks) chunk.Storage.Dispose();
            chunks.Clear();
        }

        private Tensor Row(int cell) => chunks[cell / cellsPerChunk].Slice(cell % cellsPerChunk, 1);
    }

    private sealed class FileCache : ActivationCache
    {
        private readonly Device device;
        private readonly int width;
        private readonly FileStream file;
        private readonly float[] row;

        public FileCache(Device device, int width, string folder, long bytes)
        {
            (this.device, this.width, row) = (device, width, new float[width]);
            try
            {
                file = ScratchFile.Open(folder, "activations", bytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new MachineException($"No scratch file of {bytes >> 20:N0} MiB can be made in {folder} ({e.Message.TrimEnd('.')}). Free disk space, or name another folder with --scratch.", e);
            }
        }

        public override bool InMemory => false;

        public override void Write(int first, Tensor rows)
        {
            var source = rows.Reshape(new Shape((int)(rows.Count / width), width));
            for (var i = 0; i < source.Shape[0]; i++)
            {
                device.Read<float>(row, source.Slice(i, 1));
                RandomAccess.Write(file.SafeFileHandle, MemoryMarshal.AsBytes(row.AsSpan()), (long)(first + i) * width * sizeof(float));
            }
        }

        public override void Read(ReadOnlySpan<int> cells, Tensor rows)
        {
            var target = rows.Reshape(new Shape(cells.Length, width));
            for (var i = 0; i < cells.Length; i++)
            {
                var bytes = MemoryMarshal.AsBytes(row.AsSpan());
                var offset = (long)cells[i] * width * sizeof(float);
                while (!bytes.IsEmpty)
                {
                    var read = RandomAccess.Read(file.SafeFileHandle, bytes, offset);
                    if (read == 0) throw new MachineException($"The scratch file {file.Name} ended early; is the disk full or the file gone?");
                    bytes = bytes[read..];
                    offset += read;
                }
                device.Write<float>(target.Slice(i, 1), row);
            }
        }

        public override void Dispose() => file.Dispose();
    }

    /// <summary>A plan makes no file.</summary>
    private sealed class PlannedFile : ActivationCache
    {
        public override bool InMemory => false;

        public override void Write(int first, Tensor rows) { }

        public override void Read(ReadOnlySpan<int> cells, Tensor rows) { }

        public override void Dispose() { }
    }
}
