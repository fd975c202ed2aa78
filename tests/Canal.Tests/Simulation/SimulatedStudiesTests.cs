using Canal.Data;
using Canal.Learning;
using Canal.Simulation;
using Canal.Testing;
using Canal.Tests.Data;

namespace Canal.Tests.Simulation;

public sealed class SimulatedStudiesTests
{
    [Fact]
    public void TheFilesHoldWhatWasSimulatedAndTheStreamFileNamesThem()
    {
        using var folder = new TemporaryFolder();
        var settings = new SimulationSettings { Cells = 120, Genes = 300 };
        var written = SimulatedStudies.Write(folder["stream"], settings);
        Assert.Equal(["study_1.h5ad", "study_2.h5ad", "study_3.h5ad", "study_unseen.h5ad", "stream.json"], written.Select(p => Path.GetFileName(p)));
        Assert.Equal(written.Order(), Directory.GetFiles(folder["stream"]).Order());

        var simulator = new StudySimulator(settings);
        for (var study = 0; study <= 3; study++)
        {
            using var file = ExpressionFiles.Open(written[study]);
            var expected = simulator.Simulate(study);
            Assert.Equal(expected.GeneNames("X"), file.GeneNames("X"));
            Assert.Equal(expected.CellNames, file.CellNames);
            Assert.True(StudySimulator.IsSimulated(file));
            foreach (var column in expected.ObsColumns) Assert.Equal(expected.ReadObs(column).Values, file.ReadObs(column).Values);
            var (there, here) = (new SparseRows(), new SparseRows());
            file.OpenMatrix("X").ReadCells(0, 120, there);
            expected.OpenMatrix("X").ReadCells(0, 120, here);
            Assert.Equal(ExpressionSamples.ToDense(here, 300), ExpressionSamples.ToDense(there, 300));
        }

        var plan = StreamPlanReader.Read(written[^1]);
        Assert.Equal(3, plan.Stages.Count);
        Assert.All(plan.Stages, s => Assert.True(File.Exists(s.Cells.Data)));
        Assert.Equal([0, 1, 2, null], plan.Tests.Select(t => t.Stage));
        Assert.All(plan.Tests, t => Assert.True(File.Exists(t.Cells.Data)));
    }

    [Fact]
    public void TheSameSeedWritesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        var settings = new SimulationSettings { Studies = 1, Cells = 80, Genes = 260 };
        var first = SimulatedStudies.Write(folder["a"], settings);
        // A second later: a time in the file would show.
        Thread.Sleep(1100);
        var second = SimulatedStudies.Write(folder["b"], settings);
        Assert.Equal(first.Select(File.ReadAllBytes), second.Select(File.ReadAllBytes));
    }
}
