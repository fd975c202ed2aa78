using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Encoder;

/// <summary>
/// The weights of an encoder block packed for tiles: done once a call, by all workers, so that weights may change between calls.
/// Query, key and value weights are packed head by head.
/// </summary>
internal readonly unsafe struct PackedBlock
{
    private readonly float* query, key, value, output, w1, w2;
    private readonly int channels, inner, hidden, width, heads;

    public PackedBlock(float* memory, EncoderBlockSizes sizes)
    {
        (channels, inner, hidden, width, heads) = (sizes.Channels, sizes.Inner, sizes.Hidden, sizes.Favor.HeadWidth, sizes.Favor.Heads);
        query = memory;
        key = query + HeadFloats(sizes);
        value = key + HeadFloats(sizes);
        output = value + HeadFloats(sizes);
        w1 = output + Floats(inner, channels);
        w2 = w1 + Floats(channels, hidden);
        Projection = w2 + Floats(hidden, channels);
    }

    /// <summary>Floats of the packed weights, the projection included.</summary>
    public static long Floats(EncoderBlockSizes s) =>
        (3 * HeadFloats(s)) + Floats(s.Inner, s.Channels) + Floats(s.Channels, s.Hidden) + Floats(s.Hidden, s.Channels) + new FavorLayout(s.Favor).PackedFloats;

    /// <summary>The packed projection.</summary>
    public float* Projection { get; }

    /// <summary>Wo^T.</summary>
    public Panels Output => Panels.At(output, inner, channels);

    /// <summary>W1^T.</summary>
    public Panels W1 => Panels.At(w1, channels, hidden);

    /// <summary>W2^T.</summary>
    public Panels W2 => Panels.At(w2, hidden, channels);

    /// <summary>Wq^T of one head.</summary>
    public Panels Query(int head) => Head(query, head);

    /// <summary>Wk^T of one head.</summary>
    public Panels Key(int head) => Head(key, head);

    /// <summary>Wv^T of one head.</summary>
    public Panels Value(int head) => Head(value, head);

    /// <summary>Packs all weights.</summary>
    public void Pack(in EncoderBlockWeights weights, FavorLayout layout, WorkerPool workers)
    {
        var body = new Body { Target = this, PanelsOfHead = Panels.CountFor(width), Layout = layout };
        body.Query = (float*)weights.Query.Address;
        body.Key = (float*)weights.Key.Address;
        body.Value = (float*)weights.Value.Address;
        body.Output = (float*)weights.Output.Address;
        body.W1 = (float*)weights.W1.Address;
        body.W2 = (float*)weights.W2.Address;
        body.Projection = (float*)weights.Projection.Address;
        workers.Run(ref body, body.Pieces);
    }

    private static long HeadFloats(EncoderBlockSizes s) => s.Favor.Heads * Floats(s.Channels, s.Favor.HeadWidth);

    private static long Floats(int depth, int columns) => (long)Panels.CountFor(columns) * Panels.Width * depth;

    private Panels Head(float* matrix, int head) => Panels.At(matrix + (head * Floats(channels, width)), channels, width);

    /// <summary>One panel a piece; the projection is the first piece.</summary>
    private struct Body : IParallelBody
    {
        public PackedBlock Target;
        public FavorLayout Layout;
        public float* Query, Key, Value, Output, W1, W2, Projection;
        public int PanelsOfHead;

        public readonly int Pieces =>
            1 + (3 * Target.heads * PanelsOfHead) + (2 * Panels.CountFor(Target.channels)) + Panels.CountFor(Target.hidden);

        public readonly void Run(int index, int worker)
        {
            if (index == 0)
            {
                Layout.Pack(Target.Projection, Projection);
                return;
            }
            index--;
            var projected = Target.heads * PanelsOfHead;
            if (index < 3 * projected)
            {
                var (head, panel) = (index % projected / PanelsOfHead, index % PanelsOfHead);
                var (source, panels) = (index / projected) switch
                {
                    0 => ((nint)Query, Target.Query(head)),
                    1 => ((nint)Key, Target.Key(head)),
                    _ => ((nint)Value, Target.Value(head)),
                };
                Pack(panels, (float*)source + ((nint)head * Target.width * Target.channels), panel);
                return;
            }
            index -= 3 * projected;
            var narrow = Panels.CountFor(Target.channels);
            if (index < narrow) Pack(Target.Output, Output, index);
            else if (index < 2 * narrow) Pack(Target.W2, W2, index - narrow);
            else Pack(Target.W1, W1, index - (2 * narrow));
        }

        private static void Pack(Panels to, float* source, int panel) =>
            Panels.PackPanels(to.First, source, to.Depth, to.Columns, to.Depth, transposed: true, panel, panel + 1);
    }
}
