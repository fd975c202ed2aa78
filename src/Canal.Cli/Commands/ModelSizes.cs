using System.Globalization;
using Canal.Engine.Layers;
using Canal.Learning;

namespace Canal.Cli.Commands;

/// <summary>What <c>--size</c>, <c>--width</c>, ... and <c>--panel</c> say of a new model.</summary>
internal static class ModelSizes
{
    /// <summary>The geometry that the options name: a size by its name, with single values in place of the size's.</summary>
    /// <exception cref="UserException">The size is unknown, or a value is out of range.</exception>
    public static StreamGeometry Geometry(string size, int? width, int? blocks, int? heads, int? headWidth, int? features)
    {
        var named = size switch
        {
            "small" => (Width: 64, Blocks: 2, Heads: 4, HeadWidth: 16),
            "scbert" => (Width: 200, Blocks: 6, Heads: 10, HeadWidth: 64),
            _ => throw new UserException($"--size {size}: give small or scbert, and --width, --blocks, --heads, --head-width for anything else"),
        };
        var chosen = headWidth ?? named.HeadWidth;
        return new StreamGeometry(
            InRange(width ?? named.Width, "--width", 4096), InRange(blocks ?? named.Blocks, "--blocks", 64), InRange(heads ?? named.Heads, "--heads", 256),
            InRange(chosen, "--head-width", 512), InRange(features ?? EncoderGeometry.DefaultFeatures(chosen), "--features", 8192));
    }

    /// <summary>Genes of the panel; null for all that are expressed.</summary>
    /// <exception cref="UserException">It is neither a number nor <c>all</c>.</exception>
    public static int? Panel(string panel) => panel == "all" ? null
        : int.TryParse(panel, NumberStyles.None, CultureInfo.InvariantCulture, out var genes) && genes is > 0 and <= ushort.MaxValue ? genes
        : throw new UserException($"--panel {panel}: give a number from 1 to {ushort.MaxValue} or all");

    /// <summary>The value, if it is from 1 to <paramref name="most"/>.</summary>
    /// <exception cref="UserException">It is not.</exception>
    public static int InRange(int value, string option, int most) => value >= 1 && value <= most ? value : throw new UserException($"{option} {value}: give 1 to {most}");
}
