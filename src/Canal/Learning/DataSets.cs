using Canal.Data;
using Canal.Models;
using Canal.Simulation;

namespace Canal.Learning;

/// <summary>Opening data sets by path, and preparing their cells for stages and pre-training.</summary>
public static class DataSets
{
    /// <summary>Opens a data set file.</summary>
    /// <exception cref="UserException">It cannot be read, or is of no known format.</exception>
    public static ExpressionFile Open(string path, string? scratchFolder = null) => ExpressionFiles.Open(path, scratchFolder);

    /// <summary>Whether a data set says that its cells are simulated, as <c>canal simulate</c> writes it.</summary>
    public static bool IsSimulated(ExpressionFile file) => StudySimulator.IsSimulated(file);

    /// <summary>Labelled cells of an open data set, as a stage learns them.</summary>
    /// <param name="reader">The data set, with a label column in its settings.</param>
    /// <param name="panel">The model's panel.</param>
    /// <param name="simulated">Whether the data set says that it is simulated.</param>
    /// <returns>The prepared cells, which the caller disposes after the stage, and the stage's view of them.</returns>
    public static (PreparedCells Prepared, StageCells Cells) Stage(DataSetReader reader, GenePanel panel, bool simulated)
    {
        ArgumentNullException.ThrowIfNull(reader);
        var prepared = reader.Prepare(panel);
        return (prepared, StageCells.Of(prepared, reader.ContentHash, simulated));
    }

    /// <summary>Cells of an open data set, as pre-training takes them.</summary>
    public static PretrainSource Pretrain(DataSetReader reader, GenePanel panel, bool simulated)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return new PretrainSource(reader.Prepare(panel), reader.ContentHash, simulated);
    }

    /// <summary>Cells of an open data set, as annotation takes them: of the model's panel, low-quality ones flagged if the reader's settings keep them.</summary>
    public static PreparedCells Annotate(DataSetReader reader, AnnotationModel model)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(model);
        return reader.Prepare(model.Panel);
    }
}
