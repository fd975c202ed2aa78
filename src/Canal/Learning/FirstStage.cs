using Canal.Models;

namespace Canal.Learning;

/// <summary>The first stage of an ablation is the full method's: only what it hands on to the second differs.</summary>
internal static class FirstStage
{
    /// <summary>The full method's model after its first stage, with the bank that the ablation keeps.</summary>
    public static AnnotationModel Adapt(AnnotationModel full, StageCells cells, LearningSettings settings)
    {
        if (!settings.UsesReplay) return full with { Bank = ExampleBank.Empty(0), Checksum = null };
        if (settings.Ablation != Ablation.NoBalance) return full;
        var (labels, validates) = cells.Divide(full.Library);
        var ranking = new BankRanking(cells.Candidates(labels, validates), [], [], full.Configuration.Representation, settings.Seed);
        return full with { Bank = ExampleBank.Empty(settings.BankCapacity).UpdateUnbalanced(1, ranking, cells.TokensOf), Checksum = null };
    }
}
