using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Data;

/// <summary>golden/pretrain masking, and properties of the draws.</summary>
public sealed class ExpressionMaskingTests
{
    [SkippableTheory]
    [InlineData("small")]
    [InlineData("long")]
    [InlineData("empty_row")]
    public void TheGoldenDrawsMaskTheSamePositions(string name)
    {
        var golden = SharedFiles.Golden("pretrain", "masking");
        var shape = golden.Shape($"{name}.tokens");
        for (var cell = 0; cell < shape[0]; cell++)
        {
            int[] Row(string tensor) => golden.Ints($"{name}.{tensor}")[(cell * shape[1])..((cell + 1) * shape[1])];
            double[] Draws(string tensor) => golden.Doubles($"{name}.{tensor}")[(cell * shape[1])..((cell + 1) * shape[1])];
            var tokens = Row("tokens");
            int[] positions = [.. Enumerable.Range(0, tokens.Length).Where(t => tokens[t] != 0)];
            byte[] bins = [.. positions.Select(p => (byte)tokens[p])];
            var labels = new int[tokens.Length];
            ExpressionMasking.Mask([.. positions.Select(p => (ushort)p)], bins, labels,
                [.. positions.Select(p => Draws("mask_rand")[p])], [.. positions.Select(p => Draws("replace_uniform")[p])]);
            var masked = new int[tokens.Length];
            for (var i = 0; i < positions.Length; i++) masked[positions[i]] = bins[i];
            Assert.Equal(Row("masked_tokens"), masked);
            // The reference marks what is not predicted by the mask token.
            Assert.Equal(Row("labels"), labels.Select(l => l == ExpressionMasking.Ignored ? ExpressionBins.MaskToken : l));
        }
    }

    [SkippableFact]
    public void RightfulDifference_TheQuotaIsExact()
    {
        var golden = SharedFiles.Golden("pretrain", "masking");
        var (exact, reference) = (golden.Ints("quota.exact_decimal"), golden.Ints("quota.selected"));
        int[] quotas = [.. Enumerable.Range(0, exact.Length).Select(ExpressionMasking.Quota)];
        Assert.Equal(exact, quotas);
        Assert.Equal(336, Enumerable.Range(0, exact.Length).Count(c => quotas[c] != reference[c]));
        Assert.Equal((15, 16), (quotas[100], reference[100]));
    }

    [Fact]
    public void DrawsAreFunctionsOfSeedEpochAndCell()
    {
        Assert.Equal(Masked(1, 0, 5), Masked(1, 0, 5));
        Assert.NotEqual(Masked(1, 0, 5), Masked(2, 0, 5));
        Assert.NotEqual(Masked(1, 0, 5), Masked(1, 1, 5));
        Assert.NotEqual(Masked(1, 0, 5), Masked(1, 0, 6));

        static byte[] Masked(ulong seed, int epoch, long cell)
        {
            byte[] bins = [.. Enumerable.Repeat((byte)3, 400)];
            ExpressionMasking.Mask([.. Enumerable.Range(0, 400).Select(i => (ushort)i)], bins, new int[401], seed, epoch, cell);
            return bins;
        }
    }

    [Fact]
    public void EveryGeneIsChosenEquallyOftenAndNineInTenAreHidden()
    {
        const int genes = 40, cells = 20_000;
        var (chosen, hidden) = (new int[genes], 0);
        var labels = new int[genes + 1];
        ushort[] positions = [.. Enumerable.Range(0, genes).Select(i => (ushort)i)];
        for (var cell = 0; cell < cells; cell++)
        {
            byte[] bins = [.. Enumerable.Repeat((byte)2, genes)];
            ExpressionMasking.Mask(positions, bins, labels, 7, 0, cell);
            Assert.Equal(6, labels.Count(l => l == 2));
            for (var gene = 0; gene < genes; gene++)
            {
                if (labels[gene] == 2) chosen[gene]++;
                if (bins[gene] == ExpressionBins.MaskToken) hidden++;
            }
        }
        // Binomial: mean 3000, standard deviation 50.5; hidden: 120,000 x 0.9, standard deviation 104. Five of them.
        Assert.All(chosen, c => Assert.InRange(c, 3000 - 253, 3000 + 253));
        Assert.InRange(hidden, 108_000 - 520, 108_000 + 520);
    }

    [Fact]
    public void EqualNumbersAreSettledByTheOrderOfTheGenes()
    {
        byte[] bins = [.. Enumerable.Repeat((byte)1, 30)];
        var labels = new int[31];
        ExpressionMasking.Mask([.. Enumerable.Range(0, 30).Select(i => (ushort)i)], bins, labels, new double[30], new double[30]);
        Assert.Equal([0, 1, 2, 3, 4], Enumerable.Range(0, 31).Where(t => labels[t] == 1));
    }
}
