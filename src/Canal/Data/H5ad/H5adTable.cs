using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>A table of annotations (<c>obs</c>, <c>var</c>, <c>raw/var</c>): a group of columns, or in the oldest files a dataset of records.</summary>
internal abstract class H5adTable : IDisposable
{
    /// <summary>Where the table lies.</summary>
    public abstract string Location { get; }

    /// <summary>Number of rows.</summary>
    public abstract long Rows { get; }

    /// <summary>Names of the columns without the index, in file order.</summary>
    public abstract IReadOnlyList<string> Columns { get; }

    /// <summary>Reads the index.</summary>
    public abstract string?[] ReadIndex();

    /// <summary>Reads a column that is in <see cref="Columns"/>.</summary>
    public abstract string?[] ReadColumn(string name);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Opens the table <paramref name="name"/> of <paramref name="parent"/>.</summary>
    public static H5adTable Open(Hdf5Group parent, string name, Hdf5Group root) => parent.Open(name) switch
    {
        Hdf5Group group => new ColumnTable(group),
        Hdf5Dataset { Type.Kind: Hdf5Kind.Compound } records => new RecordTable(records, root),
        var other => throw new Hdf5RefusedException($"{other.Location}: is neither a data frame nor a table of records"),
    };

    /// <summary>The layout since AnnData 0.7: one child a column.</summary>
    private sealed class ColumnTable : H5adTable
    {
        private const string OldCategories = "__categories";
        private readonly Hdf5Group group;
        private readonly string index;

        public ColumnTable(Hdf5Group group)
        {
            this.group = group;
            var children = group.Names();
            index = group.ReadAttributeString("_index") ?? (children.Contains("_index") ? "_index" : "index");
            if (!children.Contains(index)) throw new Hdf5RefusedException($"{Location}: has no index '{index}'; write the file again with AnnData");
            var order = group.ReadAttributeStrings("column-order");
            var present = children.ToHashSet(StringComparer.Ordinal);
            Columns = [.. (order ?? children).Where(column => column != index && column != OldCategories && present.Contains(column)).Distinct()];
            Rows = H5adColumn.CountRows(group, index);
        }

        public override string Location => group.Location;

        public override long Rows { get; }

        public override IReadOnlyList<string> Columns { get; }

        public override string?[] ReadIndex() => H5adColumn.Read(group, index, null);

        public override string?[] ReadColumn(string name)
        {
            if (!group.Has(OldCategories)) return H5adColumn.Read(group, name, null);
            using var categories = group.OpenGroup(OldCategories);
            return H5adColumn.Read(group, name, categories.Has(name) ? H5adColumn.Read(categories, name, null) : null);
        }

        public override void Dispose() => group.Dispose();
    }

    /// <summary>The layout before AnnData 0.7: one dataset of records, the first field the index, categories in <c>uns</c>.</summary>
    private sealed class RecordTable : H5adTable
    {
        private readonly Hdf5Dataset records;
        private readonly Hdf5Group root;

        public RecordTable(Hdf5Dataset records, Hdf5Group root)
        {
            this.records = records;
            this.root = root;
            if (records.Dims.Count != 1 || records.Type.Fields.Count == 0) throw new Hdf5RefusedException($"{records.Location}: is not a table of records");
            Columns = [.. records.Type.Fields.Skip(1).Select(field => field.Name)];
        }

        public override string Location => records.Location;

        public override long Rows => records.Count;

        public override IReadOnlyList<string> Columns { get; }

        public override string?[] ReadIndex() => H5adColumn.Read(records, records.Type.Fields[0], null);

        public override string?[] ReadColumn(string name)
        {
            var field = records.Type.Fields.First(candidate => candidate.Name == name);
            return H5adColumn.Read(records, field, field.Type.Kind == Hdf5Kind.Integer ? ReadCategories(name) : null);
        }

        public override void Dispose() => records.Dispose();

        private string?[]? ReadCategories(string column)
        {
            if (!root.Has("uns")) return null;
            using var uns = root.Open("uns") as Hdf5Group;
            var name = column + "_categories";
            return uns is null || !uns.Has(name) ? null : H5adColumn.Read(uns, name, null);
        }
    }
}
