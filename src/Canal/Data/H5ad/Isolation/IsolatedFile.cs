namespace Canal.Data.H5ad.Isolation;

/// <summary>An <c>.h5ad</c> that a process of its own reads: what <see cref="H5adFile"/> gives, and where libhdf5 crashes or goes round in circles, one line instead.</summary>
internal sealed class IsolatedFile : ExpressionFile
{
    private readonly ReaderProcess process;
    private (Matrix Matrix, int First, int Count)? expected;
    private readonly Dictionary<string, List<string>> geneNames = new(StringComparer.Ordinal);

    private IsolatedFile(string path, string? scratchFolder, string? cellIdColumn, ReaderProcess process)
    {
        Path = path;
        this.process = process;
        (CellNames, ObsColumns, Matrices) = process.Ask(
            "opening it", ReaderRequest.Open,
            to =>
            {
                to.Write(path);
                to.WriteText(scratchFolder);
                to.WriteText(cellIdColumn);
            },
            from => (from.ReadNames(), from.ReadNames(), from.ReadNames()));
    }

    public override string Path { get; }

    public override int CellCount => CellNames.Count;

    public override IReadOnlyList<string> CellNames { get; }

    public override IReadOnlyList<string> ObsColumns { get; }

    public override IReadOnlyList<string> Matrices { get; }

    public override double? DeclaredLogBase =>
        Ask("reading uns/log1p", ReaderRequest.LogBase, _ => { }, from => from.ReadDouble()) is var logBase && double.IsNaN(logBase) ? null : logBase;

    /// <summary>Opens a file through a new process.</summary>
    public static IsolatedFile Open(string path, string? scratchFolder, string? cellIdColumn, ReaderCommand command)
    {
        H5adFile.RequireFile(path);
        var process = new ReaderProcess(path, command);
        try
        {
            return new IsolatedFile(path, scratchFolder, cellIdColumn, process);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    public override AnnotationColumn ReadObs(string column) =>
        new(column, Sized(Ask($"reading obs/{column}", ReaderRequest.Obs, to => to.Write(column), from => from.ReadTexts()), CellCount));

    public override AnnotationNotes? ReadNotes() => Ask(
        "reading uns/canal", ReaderRequest.Notes, _ => { }, from => from.ReadBoolean() ? new AnnotationNotes(from.ReadNames(), from.ReadBoolean()) : null);

    public override IReadOnlyList<string> GeneNames(string location)
    {
        if (!geneNames.TryGetValue(location, out var names))
            geneNames[location] = names = Ask($"reading the genes of {location}", ReaderRequest.GeneNames, to => to.Write(location), from => from.ReadNames());
        return names;
    }

    public override IReadOnlyList<string> VarColumns(string location) =>
        Ask($"reading the genes of {location}", ReaderRequest.VarColumns, to => to.Write(location), from => from.ReadNames());

    public override AnnotationColumn ReadVar(string location, string column) => new(column, Ask(
        $"reading var/{column}", ReaderRequest.Var,
        to =>
        {
            to.Write(location);
            to.Write(column);
        },
        from => from.ReadTexts()));

    public override ExpressionMatrix OpenMatrix(string location)
    {
        var (number, genes) = Ask($"opening {location}", ReaderRequest.OpenMatrix, to => to.Write(location), from => (from.ReadInt32(), from.ReadInt32()));
        return new Matrix(this, location, number, genes);
    }

    public override void Dispose() => process.Dispose();

    private T Ask<T>(string doing, ReaderRequest request, Action<BinaryWriter> parameters, Func<BinaryReader, T> answer)
    {
        Settle();
        return process.Ask(doing, request, parameters, answer);
    }

    private void Settle()
    {
        if (expected is not { } unwanted) return;
        expected = null;
        try
        {
            unwanted.Matrix.Discard(unwanted.Count);
        }
        catch (UserException)
        {
            // What is wrong with cells matters to those who read them.
        }
    }

    private List<string?> Sized(List<string?> values, int rows) => values.Count == rows ? values
        : throw new UserException($"{Path}: the HDF5 library went wrong while reading it; the file is damaged, fetch or write it again.");

    private sealed class Matrix(IsolatedFile file, string location, int number, int genes) : ExpressionMatrix
    {
        public override string Location => location;

        public override int CellCount => file.CellCount;

        public override int GeneCount => genes;

        public override void ReadCells(int first, int count, SparseRows block)
        {
            ArgumentNullException.ThrowIfNull(block);
            ArgumentOutOfRangeException.ThrowIfNegative(first);
            ArgumentOutOfRangeException.ThrowIfNegative(count);
            ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, CellCount, nameof(count));
            if (file.expected is { } expected && expected.Matrix == this && expected.First == first && expected.Count == count)
            {
                file.expected = null;
                file.process.Receive(Doing, from => Take(from, block, count));
                return;
            }
            file.Ask(Doing, ReaderRequest.Cells, to => Put(to, first, count), from => Take(from, block, count));
        }

        public override void Expect(int first, int count)
        {
            file.Settle();
            file.process.Post(Doing, ReaderRequest.Cells, to => Put(to, first, count));
            file.expected = (this, first, count);
        }

        /// <summary>Fetches cells that nobody wanted after all.</summary>
        public void Discard(int count) => file.process.Receive(Doing, from => Take(from, new SparseRows(), count));

        private string Doing => $"reading {location}";

        private void Put(BinaryWriter to, int first, int count)
        {
            to.Write(number);
            to.Write(first);
            to.Write(count);
        }

        private bool Take(BinaryReader from, SparseRows block, int count)
        {
            from.ReadCells(block, count, genes);
            return true;
        }
    }
}
