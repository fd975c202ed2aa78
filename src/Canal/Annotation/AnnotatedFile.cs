using Canal.Data.H5ad;
using Canal.Interop.Hdf5;

namespace Canal.Annotation;

/// <summary>What an annotated data set says of itself: reads back what <see cref="AnnotationOutput"/> wrote.</summary>
public static class AnnotatedFile
{
    private const int LargestLibrary = 1_000_000;

    /// <summary>The cell types that the model knew (<c>uns/canal/cell_types</c>).</summary>
    /// <exception cref="UserException">The file was not written by <c>canal annotate</c>.</exception>
    public static IReadOnlyList<string> KnownTypes(string path) => H5adErrors.Reading(path, () =>
    {
        using var file = Hdf5File.OpenRead(path);
        using var uns = Group(file.Root, "uns", path);
        using var canal = Group(uns, "canal", path);
        if (!canal.Has("cell_types")) throw Foreign(path);
        using var types = canal.OpenDataset("cell_types");
        if (types.Count > LargestLibrary) throw Foreign(path);
        var names = new string[types.Count];
        types.Read(0, names);
        return names;
    });

    /// <summary>Whether the cells, or those that the model was made from, are simulated (<c>uns/canal/simulated</c>).</summary>
    /// <exception cref="UserException">The file was not written by <c>canal annotate</c>.</exception>
    public static bool IsSimulated(string path) => H5adErrors.Reading(path, () =>
    {
        using var file = Hdf5File.OpenRead(path);
        using var uns = Group(file.Root, "uns", path);
        using var canal = Group(uns, "canal", path);
        return canal.Has("simulated");
    });

    private static Hdf5Group Group(Hdf5Group parent, string name, string path) => parent.Has(name) ? parent.OpenGroup(name) : throw Foreign(path);

    private static UserException Foreign(string path) => new($"{path}: not a file that canal annotate wrote (no uns/canal/cell_types); annotate it first.");
}
