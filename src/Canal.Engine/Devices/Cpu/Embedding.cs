using System.Globalization;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>Sparse cells to dense tokens, tokens to the encoder's input, and the gradients of both tables.</summary>
internal static unsafe class EmbeddingKernels
{
    public static void Expand(in ExpandTokens operation, CpuDevice device)
    {
        var body = new ExpandBody
        {
            Tokens = (byte*)operation.Tokens.Address,
            Offsets = (int*)operation.Offsets.Address,
            Positions = (ushort*)operation.Positions.Address,
            Bins = (byte*)operation.Bins.Address,
            Length = operation.Tokens.Shape[1],
            Entries = (int)operation.Positions.Count,
        };
        device.Workers.Run(ref body, operation.Tokens.Shape[0]);
    }

    public static void Forward<V>(in EmbeddingForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ForwardBody<V>
        {
            X = (float*)operation.X.Address,
            Tokens = (byte*)operation.Tokens.Address,
            BinTable = (float*)operation.BinTable.Address,
            GeneTable = (float*)operation.GeneTable.Address,
            Rows = operation.X.Shape.Rows,
            Length = operation.Tokens.Shape[1],
            Columns = operation.X.Shape.Columns,
            Bins = operation.BinTable.Shape.Rows,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Chunks.Rows(body.Columns)));
    }

    public static void Backward<V>(in EmbeddingBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var (cells, length, columns) = (operation.Tokens.Shape[0], operation.Tokens.Shape[1], operation.DX.Shape.Columns);
        if (!operation.DGeneTable.IsNone)
        {
            var genes = new GeneBody<V>
            {
                DGeneTable = (float*)operation.DGeneTable.Address,
                DX = (float*)operation.DX.Address,
                Cells = cells,
                Length = length,
                Columns = columns,
            };
            device.Workers.Run(ref genes, Chunks.Count(length, GeneBody<V>.Genes));
        }
        if (operation.DBinTable.IsNone) return;
        var bins = new BinBody<V>
        {
            Partials = (float*)device.OperationScratch,
            DX = (float*)operation.DX.Address,
            Tokens = (byte*)operation.Tokens.Address,
            Rows = cells * length,
            Columns = columns,
            Bins = operation.DBinTable.Shape.Rows,
        };
        var (chunks, table) = (RowReduction.Chunks(bins.Rows), bins.Bins * columns);
        device.Workers.Run(ref bins, chunks);
        RowSums.Merge<V>((float*)operation.DBinTable.Address, bins.Partials, chunks, table, table);
    }

    private static void RequireToken(int token, int bins)
    {
        if (token >= bins)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"Token {token} in a table of {bins} tokens."));
        }
    }

    private struct ExpandBody : IParallelBody
    {
        public byte* Tokens;
        public int* Offsets;
        public ushort* Positions;
        public byte* Bins;
        public int Length;
        public int Entries;

        public readonly void Run(int index, int worker)
        {
            var (first, last) = (Offsets[index], Offsets[index + 1]);
            if (first < 0 || last < first || last > Entries)
            {
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture, $"Cell {index} has entries {first} to {last} of {Entries}; offsets must rise from 0."));
            }
            var cell = new Span<byte>(Tokens + ((long)index * Length), Length);
            cell.Clear();
            for (var e = first; e < last; e++)
            {
                if (Positions[e] == ExpandTokens.Nowhere) continue;
                if (Positions[e] >= Length - 1)
                {
                    throw new ArgumentException(string.Create(
                        CultureInfo.InvariantCulture, $"Cell {index} has a gene at position {Positions[e]} of a panel of {Length - 1}."));
                }
                cell[Positions[e]] = Bins[e];
            }
        }
    }

    private struct ForwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* X;
        public byte* Tokens;
        public float* BinTable;
        public float* GeneTable;
        public int Rows;
        public int Length;
        public int Columns;
        public int Bins;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var rows = Chunks.Rows(Columns);
                var last = Math.Min((index + 1) * rows, Rows);
                for (var n = index * rows; n < last; n++)
                {
                    RequireToken(Tokens[n], Bins);
                    AddRows(X + ((long)n * Columns), BinTable + ((long)Tokens[n] * Columns), GeneTable + ((long)(n % Length) * Columns));
                }
            }
        }

        private readonly void AddRows(float* x, float* bin, float* gene)
        {
            unchecked
            {
                for (var c = 0; c < Columns; c += V.Count) V.Store(V.Load(bin + c, Columns - c) + V.Load(gene + c, Columns - c), x + c, Columns - c);
            }
        }
    }

    // dGeneTable[t] += sum over cells, in order, of dx[cell, t].
    private struct GeneBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public const int Genes = 64;
        public float* DGeneTable;
        public float* DX;
        public int Cells;
        public int Length;
        public int Columns;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var last = Math.Min((index + 1) * Genes, Length);
                for (var t = index * Genes; t < last; t++)
                {
                    RowSums.Merge<V>(DGeneTable + ((long)t * Columns), DX + ((long)t * Columns), Cells, (long)Length * Columns, Columns);
                }
            }
        }
    }

    // partial[token] = sum over a chunk's rows, in order, of dx where the row has that token.
    private struct BinBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Partials;
        public float* DX;
        public byte* Tokens;
        public int Rows;
        public int Columns;
        public int Bins;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = index * RowReduction.ChunkRows;
                var last = Math.Min(first + RowReduction.ChunkRows, Rows);
                var sums = Partials + ((long)index * Bins * Columns);
                new Span<float>(sums, Bins * Columns).Clear();
                for (var n = first; n < last; n++)
                {
                    RequireToken(Tokens[n], Bins);
                    RowSums.AddRow<V>(sums + ((long)Tokens[n] * Columns), DX + ((long)n * Columns), Columns);
                }
            }
        }
    }
}
