using Canal.Data;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Models;

public sealed class StateDictTests
{
    [SkippableTheory]
    [InlineData("performer_tiny", "weights", 5)]
    [InlineData("distill", "new_weights", 7)]
    [InlineData("e2e", "stage1_final_weights", 3)]
    [InlineData("novelty", "weights", 5)]
    [InlineData("pretrain", "weights", 0)]
    public void Reference_check_points_tell_their_sizes_and_weights(string fixture, string name, int types)
    {
        var golden = SharedFiles.Golden(fixture, name);
        var state = StateDict.Load(SharedFiles.Require("golden", fixture, name + ".safetensors"));
        Assert.Equal(new ModelConfiguration { Genes = 30, Width = 20, Blocks = 2, Heads = 2, HeadWidth = 16, Features = 44 }, state.Configuration);
        Assert.Equal(types, state.Types);
        Assert.Equal(golden.Names.Where(n => n != StateDict.RedrawCounter).Order(), state.Weights.Keys.Order());
        // The position table is float64 there, with values that float32 holds exactly.
        Assert.All(state.Weights, weight => Assert.Equal(golden.Doubles(weight.Key), weight.Value.Select(value => (double)value)));
    }

    [SkippableFact]
    public void Growing_copies_all_old_weights_and_prototypes_and_draws_new_ones_as_a_linear_layer()
    {
        var old = StateDict.Load(SharedFiles.Require("golden", "distill", "old_weights.safetensors"));
        var expected = SharedFiles.Golden("distill", "new_weights");
        var library = CellTypeLibrary.Empty.Grow(["a", "b", "c", "d", "e"], 1);
        var model = new AnnotationModel { Configuration = old.Configuration, Panel = Panel(), Library = library, Weights = old.Weights };
        var grown = model.Grow(library.Grow(["f", "g"], 2), seed: 9);
        foreach (var (name, values) in grown.Weights)
        {
            var (weight, bias) = (name == "to_out.fc3.weight", name == "to_out.fc3.bias");
            var copied = weight ? 5 * 64 : bias ? 5 : values.Length;
            Assert.Equal(expected.Floats(name)[..copied], values[..copied]);
            Assert.Equal(expected.Floats(name).Length, values.Length);
            Assert.All(values[copied..], value => Assert.InRange(value, -0.125f, 0.125f));
            if (weight) Assert.InRange(values[copied..].Select(value => value * value).Average(), 0.9 * 0.125 * 0.125 / 3, 1.1 * 0.125 * 0.125 / 3 + 0.001);
        }
        Assert.Same(grown, grown.Grow(grown.Library, 9));
    }

    [Fact]
    public void A_new_types_prototype_depends_on_seed_stage_and_index_alone()
    {
        var first = CellTypeLibrary.Empty.Grow(["a", "b"], 1);
        var model = AnnotationModel.Create(Tiny(), Panel(), first, 1);
        var one = model.Grow(first.Grow(["c"], 2), 4).Weights["to_out.fc3.weight"];
        var two = model.Grow(first.Grow(["c", "d"], 2), 4).Weights["to_out.fc3.weight"];
        Assert.Equal(one, two[..one.Length]);
        Assert.NotEqual(one, model.Grow(first.Grow(["c"], 2), 5).Weights["to_out.fc3.weight"]);
    }

    [Fact]
    public void A_base_model_keeps_its_encoder_and_gets_a_fresh_head()
    {
        var model = AnnotationModel.Create(Tiny(), Panel(), CellTypeLibrary.Empty, 1);
        var grown = model.Grow(CellTypeLibrary.Empty.Grow(["a", "b"], 1), 2);
        Assert.Equal(ModelKind.Annotation, grown.Kind);
        Assert.Equal(Tiny().Specify(2).Select(s => s.Name).Order(), grown.Weights.Keys.Order());
        foreach (var (name, values) in model.Weights.Where(weight => !weight.Key.StartsWith("to_out", StringComparison.Ordinal))) Assert.Same(values, grown.Weights[name]);
        Assert.Equal(2 * 64, grown.Weights["to_out.fc3.weight"].Length);
    }

    [Fact]
    public void The_same_seed_draws_the_same_model()
    {
        var library = CellTypeLibrary.Empty.Grow(["a", "b"], 1);
        var (one, same, other) = (AnnotationModel.Create(Tiny(), Panel(), library, 1), AnnotationModel.Create(Tiny(), Panel(), library, 1), AnnotationModel.Create(Tiny(), Panel(), library, 2));
        Assert.All(one.Weights, weight => Assert.Equal(weight.Value, same.Weights[weight.Key]));
        Assert.NotEqual(one.Weights["token_emb.weight"], other.Weights["token_emb.weight"]);
    }

    [Theory]
    [InlineData("genes", 0)]
    [InlineData("width", 0)]
    [InlineData("blocks", -1)]
    [InlineData("heads", 0)]
    [InlineData("features", 1 << 30)]
    [InlineData("manifold", 0)]
    [InlineData("representation", 1 << 20)]
    public void Sizes_that_cannot_be_are_refused(string size, int value)
    {
        var configuration = size switch
        {
            "genes" => Tiny() with { Genes = value },
            "width" => Tiny() with { Width = value },
            "blocks" => Tiny() with { Blocks = value },
            "heads" => Tiny() with { Heads = value },
            "features" => Tiny() with { Features = value },
            "manifold" => Tiny() with { Manifold = value },
            _ => Tiny() with { Representation = value },
        };
        Assert.Throws<UserException>(configuration.Validated);
    }

    [Fact]
    public void ScBerts_geometry_is_that_of_its_paper()
    {
        var configuration = ModelConfiguration.ScBert(16_906).Validated();
        Assert.Equal((200, 6, 10, 64, 266), (configuration.Width, configuration.Blocks, configuration.Heads, configuration.HeadWidth, configuration.Features));
    }

    private static ModelConfiguration Tiny() => new() { Genes = 30, Width = 20, Blocks = 2, Heads = 2, HeadWidth = 16, Features = 44 };

    private static GenePanel Panel() => GenePanel.All(new GeneVocabulary(Enumerable.Range(0, 30).Select(gene => $"GENE{gene}")));
}
