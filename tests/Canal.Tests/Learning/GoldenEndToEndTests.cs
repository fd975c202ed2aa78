using Canal.Data;
using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Learning;

/// <summary>
/// The reference's two stages repeated with its recorded draws and redraws, through the same training step that stages use. Rightful
/// difference (method.md section 9): the key maximum is taken over the batch, as the reference's training does, not over the cell.
/// </summary>
public abstract class GoldenEndToEndTests(TestDevice kind)
{
    private const int Batch = 14, Genes = 30;

    // golden/README.md, e2e: replayed in float64, losses differ from the reference's float32 by 3e-7 and weights by 6e-6. A float32 run
    // in another order of summation lies as far from the float64 one as the reference's does: twice the gap.
    private const double AllowedLoss = 2 * 3e-7, AllowedWeight = 2 * 6e-6;

    [SkippableFact]
    public void TheSecondStage_HasTheReferencesLossesAndWeights() => AssertStage(2);

    [SkippableFact]
    public void Predictions_AreTheReferences()
    {
        var test = SharedFiles.Golden("e2e", "test");
        using var device = TestDevices.Open(kind);
        using var network = Load(device, "stage2_final_weights");
        var tokens = new BinnedTokens(test.Floats("expression"), Genes);
        using var inference = new CellTypeInference(network);
        using var predictions = new BatchResults(device, inference.BatchCells);
        var predicted = new List<int>();
        var cells = Enumerable.Range(0, tokens.Count).ToArray();
        for (var first = 0; first < cells.Length; first += inference.BatchCells)
        {
            var count = Math.Min(inference.BatchCells, cells.Length - first);
            predictions.Take(inference.Forward(tokens, cells.AsSpan(first, count)).Logits.Value, 0.8f);
            predictions.Collect();
            var types = predictions.Types;
            for (var i = 0; i < count; i++) predicted.Add(types[3 * i]);
            inference.End();
        }
        Assert.Equal(test.Ints("predicted"), predicted);
    }

    protected void AssertStage(int stage)
    {
        var golden = SharedFiles.Golden("e2e", $"stage{stage}");
        using var device = TestDevices.Open(kind);
        using var student = Load(device, $"stage{stage}_initial_weights");
        using var teacher = Load(device, $"stage{stage}_initial_weights");
        student.Parameters.Train(TrainableSet.LastButOne);
        var pool = Pool(golden, stage);
        var tokens = new LiveTeacher(teacher, pool.Tokens);
        var (epochs, batches) = (golden.Shape("draws_train")[0], golden.Shape("draws_train")[1]);
        var weight = stage == 1 ? 0 : 0.1 * 3 / 4;
        using var task = new StageTask(student, pool, new StepSettings(Batch, batches, 0.1, weight, double.PositiveInfinity, KeyMaximumScope.Batch), null, weight > 0 ? tokens : null);
        var (draws, rate) = (golden.Ints("draws_train"), new WarmRestarts(2e-3));
        var (losses, distillation, accuracies) = (new List<double>(), new List<double>(), new List<double>());
        float[]? best = null;
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            for (var batch = 0; batch < batches; batch++)
            {
                Redraw(golden, (epoch * batches) + batch, teacher, student);
                task.Step(draws.AsSpan(((epoch * batches) + batch) * Batch, Batch), epoch, batch, rate.Rate(epoch));
            }
            var epochLosses = task.Capture(batches)["losses"];
            for (var batch = 0; batch < batches; batch++)
            {
                losses.Add(epochLosses[2 * batch] / (double)Batch);
                distillation.Add(epochLosses[(2 * batch) + 1]);
            }
            accuracies.Add(ValidationAccuracy(student, pool, golden, epoch));
            if (accuracies[^1] > accuracies.Take(epoch).DefaultIfEmpty(0).Max()) best = task.CaptureParameters();
        }
        Closeness.Assert("classification loss", losses.ToArray(), golden.Doubles("loss_cls_train"), AllowedLoss);
        if (stage == 2) Closeness.Assert("distillation", distillation.ToArray(), [.. golden.Doubles("loss_representation_train").Select(d => weight * d)], AllowedLoss);
        Closeness.Assert("validation accuracy", accuracies.ToArray(), golden.Doubles("accuracy_val"), 1e-6);
        task.RestoreParameters(best!);
        var final = SharedFiles.Golden("e2e", $"stage{stage}_final_weights");
        foreach (var parameter in student.Parameters.Parameters)
        {
            if (parameter.Name.Contains("projection_matrix", StringComparison.Ordinal)) continue;
            Closeness.Assert(parameter.Name, student.Parameters.Read(parameter.Name), final.Doubles(parameter.Name), AllowedWeight);
        }
    }

    private static CellTypeNetwork Load(Device device, string file)
    {
        var golden = SharedFiles.Golden("e2e", file);
        var types = golden.Shape(CellTypeHead.PrototypeName)[0];
        var configuration = new ModelConfiguration { Genes = Genes, Width = 20, Blocks = 2, Heads = 2, HeadWidth = 16, Features = 44 };
        var weights = configuration.Specify(types).ToDictionary(s => s.Name, s => golden.Floats(s.Name), StringComparer.Ordinal);
        return new CellTypeNetwork(device, new AnnotationModel
        {
            Configuration = configuration,
            Panel = GenePanel.All(new GeneVocabulary(Enumerable.Range(0, Genes).Select(g => $"GENE{g}"))),
            Library = new CellTypeLibrary(Enumerable.Range(0, types).Select(t => $"type {t}"), Enumerable.Repeat(1, types)),
            Weights = weights,
        });
    }

    private static StagePool Pool(GoldenTensors golden, int stage)
    {
        var (expression, labels) = (golden.Floats("expression").ToList(), golden.Ints("label").ToList());
        if (stage == 2)
        {
            var before = SharedFiles.Golden("e2e", "stage1");
            expression.AddRange(before.Floats("bank_expression"));
            labels.AddRange(before.Ints("bank_type"));
        }
        return new StagePool(new BinnedTokens([.. expression], Genes), [.. labels], golden.Ints("split_train"), golden.Ints("split_val"));
    }

    private static void Redraw(GoldenTensors golden, int step, CellTypeNetwork teacher, CellTypeNetwork student)
    {
        if (!golden.Has("redraw_step")) return;
        var (steps, modules, matrices) = (golden.Ints("redraw_step"), golden.Ints("redraw_module"), golden.Floats("redraw_matrix"));
        var size = steps.Length == 0 ? 0 : matrices.Length / steps.Length;
        for (var i = 0; i < steps.Length; i++)
        {
            if (steps[i] != step) continue;
            var network = modules[i] < 2 ? teacher : student;
            network.Parameters.Write($"performer.net.layers.{modules[i] % 2}.0.fn.fast_attention.projection_matrix", matrices.AsSpan(i * size, size));
        }
    }

    private static double ValidationAccuracy(CellTypeNetwork network, StagePool pool, GoldenTensors golden, int epoch)
    {
        var draws = golden.Ints("draws_val").AsSpan(epoch * Batch, Batch);
        var cells = new int[Batch];
        for (var i = 0; i < Batch; i++) cells[i] = pool.Validation[draws[i]];
        using var forward = new BatchForward(network, pool.Tokens);
        var logits = network.Device.Read<float>(forward.Run(cells).Logits.Value);
        var right = Enumerable.Range(0, Batch).Count(i => ArgMax(logits.AsSpan(i * network.Types, network.Types)) == pool.Labels[cells[i]]);
        return (double)right / Batch;
    }

    private static int ArgMax(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best]) best = i;
        }
        return best;
    }

    /// <summary>Forward in batch scope, as the reference's training mode.</summary>
    private sealed class BatchForward(CellTypeNetwork network, ICellTokens tokens) : IDisposable
    {
        private readonly Tape tape = Tape.ForInference(network.Device);
        private readonly SparseBatch sparse = new(network.Device, Batch, Genes);

        public CellTypeOutput Run(ReadOnlySpan<int> cells)
        {
            tape.Clear();
            sparse.Gather(tokens, cells);
            var pass = new EncoderPass(cells.Length, KeyMaximumScope.Batch);
            return network.Suffix(tape, network.Prefix(tape, sparse.Expand(cells.Length), pass), pass);
        }

        public void Dispose()
        {
            tape.Dispose();
            sparse.Dispose();
        }
    }

    private sealed class LiveTeacher(CellTypeNetwork network, ICellTokens tokens) : ITeacher
    {
        public void Read(ReadOnlySpan<int> cells, Tensor representations)
        {
            using var forward = new BatchForward(network, tokens);
            network.Device.Copy(representations, forward.Run(cells).Representation.Value);
        }
    }

    /// <summary>Expression values as the reference bins them: the whole part, at most 5.</summary>
    private sealed class BinnedTokens(float[] expression, int genes) : ICellTokens
    {
        public int Count => expression.Length / genes;

        public int EntryCount(int cell) => Enumerable.Range(0, genes).Count(g => Bin(cell, g) > 0);

        public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins)
        {
            var entry = 0;
            for (var gene = 0; gene < genes; gene++)
            {
                if (Bin(cell, gene) == 0) continue;
                (positions[entry], bins[entry]) = ((ushort)gene, Bin(cell, gene));
                entry++;
            }
        }

        private byte Bin(int cell, int gene) => (byte)Math.Min((int)expression[(cell * genes) + gene], 5);
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuGoldenEndToEndTests() : GoldenEndToEndTests(TestDevice.Cpu)
{
    [SkippableFact]
    public void TheFirstStage_HasTheReferencesLossesAndWeights() => AssertStage(1);
}

/// <summary>On the CUDA device, emulated: the second stage alone, which has all of the first and distillation besides.</summary>
public sealed class EmulatedGoldenEndToEndTests() : GoldenEndToEndTests(TestDevice.Emulated);
