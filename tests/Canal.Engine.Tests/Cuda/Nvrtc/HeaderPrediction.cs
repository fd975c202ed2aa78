using System.Globalization;
using System.Text.RegularExpressions;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>What the header of a kernel on tensor cores says that it will reach; predicted there, never measured.</summary>
/// <param name="Work">FLOPs of its products a token, head, row of features and channel.</param>
/// <param name="A100">Share of the dense rate of tensor cores, lowest and highest.</param>
/// <param name="H200">Share of what mma.sync reaches, lowest and highest.</param>
internal sealed partial record HeaderPrediction(int Work, (double Low, double High) A100, (double Low, double High) H200)
{
    /// <summary>
    /// Share of the dense rate that mma.sync reaches on Hopper, whose full rate takes wgmma (Luo et al. 2024, arXiv:2402.13499: 62.9 % on average of
    /// their shapes and types). Read, not measured here.
    /// </summary>
    public const double MmaSyncOnHopper = 0.63;

    /// <summary>The share of the dense rate on a card, lowest and highest; null where headers say nothing of it.</summary>
    public (double Low, double High)? On(Card card) =>
        card == Card.A100 ? A100 : card == Card.H200 ? (MmaSyncOnHopper * H200.Low, MmaSyncOnHopper * H200.High) : null;

    /// <summary>What the header of a kernel says; null where it says no share.</summary>
    public static HeaderPrediction? Of(string kernel)
    {
        var name = Element().Replace(kernel, "");
        // Both sums over tokens are one text.
        var file = Path.Combine(Repository.Root!, "kernels", (name is "favor_tensor_key_sums" or "favor_tensor_query_sums" ? "favor_tensor_sums" : name) + ".cu");
        return File.Exists(file) ? Parse(File.ReadAllText(file)) : null;
    }

    /// <summary>What a source's header says; null where it says no share.</summary>
    internal static HeaderPrediction? Parse(string source)
    {
        var header = LineStart().Replace(source[..source.IndexOf("#include", StringComparison.Ordinal)], " ");
        var (work, shares) = (WorkOfHeader().Match(header), Shares().Match(header));
        return shares.Success && work.Success ? new HeaderPrediction((int)Number(work, 1), (Number(shares, 1) / 100, Number(shares, 2) / 100), (Number(shares, 3) / 100, Number(shares, 4) / 100)) : null;
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("_(bf16|f16)$")]
    private static partial Regex Element();

    [GeneratedRegex(@"\n//\s*")]
    private static partial Regex LineStart();

    [GeneratedRegex(@"Work\s+(\d+) FEATURE_ROWS 64 FLOP")]
    private static partial Regex WorkOfHeader();

    [GeneratedRegex(@"(\d+) to (\d+) % of the dense f16 rate on A100, (\d+) to (\d+) % of what mma\.sync reaches on H200")]
    private static partial Regex Shares();
}
