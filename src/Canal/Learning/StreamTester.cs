using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Evaluation;
using Canal.Models;

namespace Canal.Learning;

/// <summary>Scores a model on a stream's test sets.</summary>
internal sealed class StreamTester(Device device, AnnotationModel model) : IDisposable
{
    private readonly Annotator annotator = new(device, model);

    /// <summary>Scores one test set. Labels are compared by the best type, novel or not; merged types count as one, in truth and in prediction.</summary>
    public TestScore Score(StreamTest test, PreparedCells cells, IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        var result = annotator.Annotate(cells, new AnnotationSettings(), progress, cancel);
        var (truth, predicted, known, novel) = (new List<string>(), new List<string>(), new List<double>(), new List<double>());
        for (var cell = 0; cell < cells.Count; cell++)
        {
            var label = cells.Types[cells.Labels[cell]];
            if (!model.Library.TryFind(label, out _))
            {
                novel.Add(result.Novelty[cell]);
                continue;
            }
            known.Add(result.Novelty[cell]);
            truth.Add(test.Merge.GetValueOrDefault(label, label));
            predicted.Add(test.Merge.GetValueOrDefault(result.BestOf(cell), result.BestOf(cell)));
        }
        var score = new TestScore { Test = test.Name, Cells = truth.Count, Untaught = novel.Count };
        if (truth.Count > 0)
        {
            var metrics = ClassificationMetrics.Of(truth, predicted);
            score = score with
            {
                Accuracy = metrics.Accuracy,
                MacroF1 = metrics.MacroF1,
                AdjustedRand = metrics.AdjustedRandIndex,
                KnownAccepted = known.Count(n => n <= 0.5) / (double)known.Count,
            };
        }
        if (truth.Count == 0 || novel.Count == 0) return score;
        return score with { NoveltyAuroc = NoveltyMetrics.Auroc(known, novel), NoveltyFpr95 = NoveltyMetrics.FalsePositiveRate(known, novel) };
    }

    /// <inheritdoc/>
    public void Dispose() => annotator.Dispose();
}
