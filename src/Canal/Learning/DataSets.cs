using Canal.Data;
using Canal.Models;

namespace Canal.Learning;

/// <summary>Preparing the cells of data sets for stages and pre-training.</summary>
public static class DataSets
{
    /// <summary>Labelled cells of an open data set, as a stage learns them.</summary>
    /// <param name="reader">The data set, with a label column in its settings.</param>
    /// <param name="panel">The model's panel.</param>
    /// <returns>The prepared cells, which the caller disposes after the stage, and the stage's view of them.</returns>
    public static (PreparedCells Prepared, StageCells Cells) Stage(DataSetReader reader, GenePanel panel)
    {
        ArgumentNullException.ThrowIfNull(reader);
        var prepared = reader.Prepare(panel);
        return (prepared, StageCells.Of(prepared, reader.ContentHash, prepared.Report.Simulated));
    }

    /// <summary>Cells of an open data set, as pre-training takes them.</summary>
    public static PretrainSource Pretrain(DataSetReader reader, GenePanel panel)
    {
        ArgumentNullException.ThrowIfNull(reader);
        var prepared = reader.Prepare(panel);
        return new PretrainSource(prepared, reader.ContentHash, prepared.Report.Simulated);
    }

    /// <summary>Cells of an open data set, as annotation takes them: of the model's panel, low-quality ones flagged if the reader's settings keep them.</summary>
    public static PreparedCells Annotate(DataSetReader reader, AnnotationModel model)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(model);
        return reader.Prepare(model.Panel);
    }
}
