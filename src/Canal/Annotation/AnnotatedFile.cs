using Canal.Data;

namespace Canal.Annotation;

/// <summary>What an annotated data set says of itself: reads back what <see cref="AnnotationOutput"/> wrote.</summary>
public static class AnnotatedFile
{
    /// <summary>The cell types that the model knew, and whether anything about it was simulated (<c>uns/canal</c>).</summary>
    /// <exception cref="UserException">The file was not written by <c>canal annotate</c>.</exception>
    public static AnnotationNotes Notes(ExpressionFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.ReadNotes() ?? throw new UserException($"{file.Path}: not a file that canal annotate wrote (no uns/canal/cell_types); annotate it first.");
    }
}
