using System.Text.Json;
using Canal.Evaluation;
using Canal.Testing;

namespace Canal.Tests.Evaluation;

public sealed class AccuracyMatrixTests
{
    private const double Exact = 1e-12;
    private static readonly StreamTest[] Tests = [new("one", 1), new("two", 2), new("three", 3), new("elsewhere", null)];

    [Fact]
    public void Derived_numbers_as_computed_by_hand()
    {
        var summary = Example().Summarise();
        Assert.Equal((0.7 + 0.6 + 0.9) / 3, summary.AverageAccuracy!.Value, Exact);
        Assert.Equal((0.8 + ((0.9 + 0.8) / 2) + ((0.7 + 0.6 + 0.9) / 3)) / 3, summary.AverageIncrementalAccuracy!.Value, Exact);
        Assert.Equal(((0.9 - 0.7) + (0.8 - 0.6)) / 2, summary.Forgetting!.Value, Exact);
        Assert.Equal(((0.7 - 0.8) + (0.6 - 0.8)) / 2, summary.BackwardTransfer!.Value, Exact);
        Assert.Equal((0.8 + 0.8 + 0.9) / 3, summary.LearningAccuracy!.Value, Exact);
    }

    // data/baselines.md, blood, LR on 1,000 HVG log features: joint and replay rows and the figures derived there.
    [Theory]
    [InlineData(96.0, 93.7, 91.8, 92.8, 94.4, 2.3, -2.3)]
    [InlineData(96.0, 91.1, 93.0, 92.0, 94.0, 4.9, -4.9)]
    public void Derived_numbers_are_those_of_the_published_baselines(double a11, double a21, double a22, double aa, double aia, double forgetting, double bwt)
    {
        var matrix = new AccuracyMatrix(["1", "2"], Tests[..2]) { [1, 0] = a11, [2, 0] = a21, [2, 1] = a22 };
        var summary = matrix.Summarise();
        // The tables are rounded to 0.1.
        Assert.Equal(aa, summary.AverageAccuracy!.Value, 0.11);
        Assert.Equal(aia, summary.AverageIncrementalAccuracy!.Value, 0.11);
        Assert.Equal(forgetting, summary.Forgetting!.Value, 0.11);
        Assert.Equal(bwt, summary.BackwardTransfer!.Value, 0.11);
    }

    [Fact]
    public void What_was_not_measured_is_not_made_up()
    {
        var matrix = Example();
        matrix[3, 1] = double.NaN;
        Assert.Null(matrix[3, 1]);
        Assert.Null(matrix.Summarise().AverageAccuracy);
        Assert.NotNull(matrix.Summarise().LearningAccuracy);
        var one = new AccuracyMatrix(["only"], Tests[..1]) { [1, 0] = 0.9 };
        Assert.Equal(new StreamSummary(0.9, 0.9, null, null, 0.9), one.Summarise());
    }

    [Fact]
    public void Several_tests_of_a_stage_count_with_their_mean()
    {
        var matrix = new AccuracyMatrix(["1"], [new("a", 1), new("b", 1)]) { [1, 0] = 0.4, [1, 1] = 0.8 };
        Assert.Equal(0.6, matrix.Summarise().AverageAccuracy!.Value, Exact);
    }

    [Fact]
    public void Runs_and_means_are_written_as_JSON_and_as_CSV_that_no_spreadsheet_runs()
    {
        using var folder = new TemporaryFolder();
        var runs = new List<StreamRun>();
        foreach (var seed in new ulong[] { 1, 2 })
        {
            var run = StreamRun.Empty("full", seed, ["=first", "second"], Tests[..2]);
            run.Set(1, 0, new ClassificationScores(10, 0.5 + (0.1 * seed), 0.4, 0.3));
            run.Set(2, 0, new ClassificationScores(10, 0.5, 0.4, -0.25));
            run.Set(2, 1, new ClassificationScores(10, 0.7, 0.4, 0.3));
            runs.Add(run);
        }
        new StreamMeasures("blood", runs) { Simulated = true }.Write(folder.Root);

        using var json = JsonDocument.Parse(File.ReadAllText(folder["matrix.json"]));
        Assert.True(json.RootElement.GetProperty("simulated").GetBoolean());
        var mean = json.RootElement.GetProperty("means")[0].GetProperty("accuracy");
        Assert.Equal(0.65, mean.GetProperty("matrix")[0][0].GetDouble(), Exact);
        Assert.Equal(JsonValueKind.Null, mean.GetProperty("matrix")[0][1].ValueKind);
        Assert.Equal(0.6, mean.GetProperty("average").GetDouble(), Exact);
        Assert.Equal(JsonValueKind.Null, mean.GetProperty("forward_transfer").ValueKind);
        Assert.Equal(2, json.RootElement.GetProperty("runs").GetArrayLength());

        var lines = File.ReadAllLines(folder["matrix.csv"]);
        Assert.Contains("blood,full,1,accuracy,'=first,one,0.6,true", lines);
        Assert.Contains("blood,full,1,accuracy,'=first,two,,true", lines);
        Assert.Contains("blood,full,2,adjusted_rand_index,second,one,-0.25,true", lines);
        Assert.Contains("blood,full,mean,accuracy.average,,,0.6,true", lines);
        Assert.All(lines, line => Assert.Equal(7, line.Count(c => c == ',')));
    }

    private static AccuracyMatrix Example()
    {
        var matrix = new AccuracyMatrix(["1", "2", "3"], Tests);
        double?[][] rows = [[0.8, null, null, 0.1], [0.9, 0.8, null, 0.2], [0.7, 0.6, 0.9, 0.3]];
        for (var i = 0; i < 3; i++)
        {
            for (var j = 0; j < 4; j++) matrix[i + 1, j] = rows[i][j];
        }
        return matrix;
    }
}
