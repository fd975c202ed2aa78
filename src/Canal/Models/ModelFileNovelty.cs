using System.Text.Json;
using Canal.Annotation;

namespace Canal.Models;

/// <summary>The novelty calibration in a model file.</summary>
internal static class ModelFileNovelty
{
    private const string Key = "canal.novelty", Prefix = "canal.novelty.";

    /// <summary>Adds a calibration's tensors and metadata.</summary>
    public static void Write(NoveltyCalibration novelty, List<SafetensorsTensor> tensors, Dictionary<string, string> metadata)
    {
        var statistics = novelty.Statistics;
        long types = novelty.Types, width = statistics.Width;
        metadata[Key] = JsonSerializer.Serialize(new Fitted(novelty.Settings, novelty.Cells), ModelFile.Json);
        double[] ranges = [novelty.EnergyRange.Lowest, novelty.EnergyRange.Highest, novelty.DistanceRange.Lowest, novelty.DistanceRange.Highest];
        tensors.Add(SafetensorsTensor.Of(Prefix + "ranges", [2, 2], ranges));
        tensors.Add(SafetensorsTensor.Of(Prefix + "thresholds", [2, types], [.. novelty.Stored.Types, .. novelty.Distance.Types]));
        tensors.Add(SafetensorsTensor.Of(Prefix + "scales", [2], new[] { novelty.Stored.Scale, novelty.Distance.Scale }));
        tensors.Add(SafetensorsTensor.Of(Prefix + "counts", [types], statistics.Counts));
        tensors.Add(SafetensorsTensor.Of(Prefix + "means", [types, width], statistics.Means));
        tensors.Add(SafetensorsTensor.Of(Prefix + "shared", [width, width], statistics.Shared));
        tensors.Add(SafetensorsTensor.Of(Prefix + "overall_mean", [width], statistics.OverallMean));
        tensors.Add(SafetensorsTensor.Of(Prefix + "overall", [width, width], statistics.Overall));
        tensors.Add(SafetensorsTensor.Of(Prefix + "cells", [statistics.Cells.Length / width, width], statistics.Cells));
    }

    /// <summary>Reads a calibration; null where the model has none.</summary>
    /// <exception cref="FormatException">Something in it cannot be; the message says what.</exception>
    public static NoveltyCalibration? Read(SafetensorsReader reader, int types, int width)
    {
        if (!reader.Metadata.ContainsKey(Key)) return null;
        var fitted = ModelFile.Parse<Fitted>(reader, Key);
        var settings = fitted.Settings;
        Require(settings.Temperature > 0 && settings.AcceptanceRate is > 0 and < 1 && settings.DistanceWeight is >= 0 and <= 1 && fitted.Cells > 0, "impossible settings");
        var (ranges, scales) = (Read(reader, "ranges", 4), Read(reader, "scales", 2));
        Require(ranges[0] <= ranges[1] && ranges[2] <= ranges[3] && scales[0] > 0 && scales[1] > 0, "impossible ranges");
        var thresholds = Read(reader, "thresholds", 2L * types);
        var counts = reader.ReadInt32(Prefix + "counts");
        Require(counts.Length == types && counts.All(count => count >= 0), "impossible counts");
        var cells = reader.ReadSingles(Prefix + "cells");
        Require(cells.Length % width == 0 && cells.Length / width <= RepresentationStatistics.MostCells && cells.All(float.IsFinite), "impossible cells");
        return new NoveltyCalibration
        {
            Settings = settings,
            EnergyRange = (ranges[0], ranges[1]),
            DistanceRange = (ranges[2], ranges[3]),
            Stored = new NoveltyThresholds(thresholds[..types], scales[0]),
            Distance = new NoveltyThresholds(thresholds[types..], scales[1]),
            Statistics = new RepresentationStatistics(
                width, counts, Read(reader, "means", (long)types * width), Read(reader, "shared", (long)width * width),
                Read(reader, "overall_mean", width), Read(reader, "overall", (long)width * width), cells),
            Cells = fitted.Cells,
        };
    }

    private static double[] Read(SafetensorsReader reader, string name, long count)
    {
        var values = reader.ReadDoubles(Prefix + name);
        Require(values.Length == count && values.All(double.IsFinite), $"impossible {name.Replace('_', ' ')}");
        return values;
    }

    private static void Require(bool holds, string fault)
    {
        if (!holds) throw new FormatException($"its novelty calibration has {fault}");
    }

    private sealed record Fitted(NoveltySettings Settings, int Cells);
}
