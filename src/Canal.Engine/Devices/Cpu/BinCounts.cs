using System.Globalization;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>Counts to expression bins, a cell a piece of work.</summary>
internal static unsafe class BinCountsKernel
{
    public static void Run(in BinCounts operation, CpuDevice device)
    {
        var body = new Body
        {
            Bins = (byte*)operation.Bins.Address,
            Counts = (float*)operation.Counts.Address,
            Offsets = (int*)operation.Offsets.Address,
            Entries = (int)operation.Counts.Count,
        };
        var cells = (int)operation.Offsets.Count - 1;
        device.Workers.Run(ref body, cells);
        var (first, last) = (body.Offsets[0], body.Offsets[cells]);
        if (first < 0 || last > body.Entries) throw Body.Falling(0, first, last, body.Entries);
        new Span<byte>(body.Bins, first).Clear();
        new Span<byte>(body.Bins + last, body.Entries - last).Clear();
    }

    private struct Body : IParallelBody
    {
        public byte* Bins;
        public float* Counts;
        public int* Offsets;
        public int Entries;

        public static ArgumentException Falling(int cell, int first, int last, int entries) => new(string.Create(
            CultureInfo.InvariantCulture, $"Cell {cell} has entries {first} to {last} of {entries}; offsets must rise from 0."));

        public readonly void Run(int index, int worker)
        {
            var (first, last) = (Offsets[index], Offsets[index + 1]);
            if (first < 0 || last < first || last > Entries) throw Falling(index, first, last, Entries);
            var counts = new ReadOnlySpan<float>(Counts + first, last - first);
            var total = BinRule.Total(counts);
            for (var i = 0; i < counts.Length; i++) Bins[first + i] = BinRule.Bin(counts[i], total);
        }
    }
}
