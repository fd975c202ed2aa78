using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tests.Models;
using Canal.Testing;

namespace Canal.Engine.Tests.Optimizers;

public sealed class ParameterSetTests : IDisposable
{
    private static readonly EncoderGeometry FourBlocks = CellTypeModel.Tiny with { Blocks = 4 };
    private readonly CpuDevice device = new(new CpuOptions());

    public void Dispose() => device.Dispose();

    [SkippableFact]
    public void Names_order_and_sizes_are_those_of_the_state_dict()
    {
        using var model = new CellTypeModel(device, CellTypeModel.Tiny, 5);
        var golden = SharedFiles.Golden("performer_tiny", "weights");
        var names = golden.Names.Where(name => name != "performer.calls_since_last_redraw").Order(StringComparer.Ordinal);
        Assert.Equal(names, model.Parameters.Parameters.Select(parameter => parameter.Name).Order(StringComparer.Ordinal));
        foreach (var parameter in model.Parameters.Parameters)
        {
            Assert.Equal(golden.Shape(parameter.Name), Enumerable.Range(0, parameter.Shape.Rank).Select(d => parameter.Shape[d]));
        }
        Assert.Equal("token_emb.weight", model.Parameters.Parameters[0].Name);
        Assert.Equal("performer.net.layers.0.0.norm.weight", model.Parameters.Parameters[2].Name);
        Assert.Equal("to_out.fc3.bias", model.Parameters.Parameters[^1].Name);
    }

    [Theory]
    [InlineData(TrainableSet.None, "")]
    [InlineData(TrainableSet.Head, "norm. to_out.")]
    [InlineData(TrainableSet.LastButOne, "norm. to_out. layers.2.")]
    [InlineData(TrainableSet.LastTwo, "norm. to_out. layers.2. layers.3.")]
    [InlineData(TrainableSet.AllButGeneEmbedding, "norm. to_out. layers. token_emb.")]
    [InlineData(TrainableSet.All, "norm. to_out. layers. token_emb. pos_emb.")]
    public void What_trains_is_what_the_set_says(TrainableSet set, string prefixes)
    {
        using var model = new CellTypeModel(device, FourBlocks, 5);
        model.Parameters.Train(TrainableSet.All);
        model.Parameters.Train(set);
        var trains = prefixes.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (var parameter in model.Parameters.Parameters)
        {
            var expected = trains.Any(prefix => parameter.Name.Replace("performer.net.", "", StringComparison.Ordinal).StartsWith(prefix, StringComparison.Ordinal))
                && !parameter.Name.EndsWith("projection_matrix", StringComparison.Ordinal);
            Assert.True(expected == parameter.Trains, parameter.Name);
        }
        Assert.Equal(set == TrainableSet.None, model.Parameters.Gradients.IsNone);
        Assert.Equal(set switch { TrainableSet.None or TrainableSet.Head => 4, TrainableSet.LastButOne or TrainableSet.LastTwo => 2, _ => 0 }, model.Encoder.FrozenBlocks);
    }

    [Fact]
    public void The_only_block_of_an_encoder_trains_as_the_last_but_one()
    {
        using var model = new CellTypeModel(device, CellTypeModel.Tiny with { Blocks = 1 }, 5);
        model.Parameters.Train(TrainableSet.LastButOne);
        Assert.True(model.Encoder.Blocks[0].Trains);
    }

    [Fact]
    public void Fresh_parameters_are_those_of_fresh_modules_and_repeat()
    {
        using var model = new CellTypeModel(device, CellTypeModel.Tiny, 5);
        using var again = new CellTypeModel(device, CellTypeModel.Tiny, 5);
        model.Parameters.Initialise(42);
        again.Parameters.Initialise(42);
        foreach (var parameter in model.Parameters.Parameters)
        {
            var values = model.Parameters.Read(parameter.Name);
            Assert.Equal(values, again.Parameters.Read(parameter.Name));
            if (parameter.Specification.Start.Kind != InitialisationKind.Uniform) continue;
            var bound = 1 / Math.Sqrt(parameter.Name.Contains("fc1", StringComparison.Ordinal) ? 31 : 1.0 / Math.Pow(parameter.Specification.Start.Scale, 2));
            Assert.All(values, value => Assert.InRange(Math.Abs(value), 0, bound + 1e-7));
            if (values.Length > 100) Assert.InRange(values.Max(), 0.9 * bound, bound + 1e-7);
        }
        Assert.All(model.Parameters.Read("norm.weight"), value => Assert.Equal(1f, value));
        Assert.All(model.Parameters.Read("norm.bias"), value => Assert.Equal(0f, value));
        Assert.NotEqual(
            model.Parameters.Read("performer.net.layers.0.0.fn.fast_attention.projection_matrix"),
            model.Parameters.Read("performer.net.layers.1.0.fn.fast_attention.projection_matrix"));
        again.Parameters.Initialise(43);
        Assert.NotEqual(model.Parameters.Read("to_out.fc1.weight"), again.Parameters.Read("to_out.fc1.weight"));
    }

    [Fact]
    public void Values_of_the_wrong_number_and_unknown_or_double_names_are_refused()
    {
        using var parameters = new ParameterSet(device, [AdamTests.Specification("a", 3, ParameterGroup.Head)]);
        Assert.Throws<ArgumentException>(() => parameters.Write("a", new float[4]));
        Assert.Throws<KeyNotFoundException>(() => parameters["b"]);
        Assert.Throws<ArgumentException>(() => new ParameterSet(device, [AdamTests.Specification("a", 3, ParameterGroup.Head), AdamTests.Specification("a", 3, ParameterGroup.Head)]));
        using var other = new ParameterSet(device, [AdamTests.Specification("b", 3, ParameterGroup.Head)]);
        Assert.Throws<ArgumentException>(() => parameters.CopyFrom(other));
    }
}
