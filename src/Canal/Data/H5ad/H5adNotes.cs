using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Reads back what annotation wrote into <c>uns/canal</c>.</summary>
internal static class H5adNotes
{
    private const int LargestLibrary = 1_000_000;

    /// <summary>The notes, or null where there are none.</summary>
    public static AnnotationNotes? Read(Hdf5Group root)
    {
        using var uns = Group(root, "uns");
        using var canal = uns is null ? null : Group(uns, "canal");
        if (canal is null || !canal.Has("cell_types")) return null;
        using var types = canal.OpenDataset("cell_types");
        if (types.Count > LargestLibrary) return null;
        var names = new string[types.Count];
        types.Read(0, names);
        return new AnnotationNotes(names, canal.Has("simulated"));
    }

    private static Hdf5Group? Group(Hdf5Group parent, string name) => parent.Has(name) ? parent.OpenGroup(name) : null;
}
