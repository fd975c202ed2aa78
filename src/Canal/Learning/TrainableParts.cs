using Canal.Engine.Optimizers;

namespace Canal.Learning;

/// <summary>Names of what trains, as the command line and stream files write them.</summary>
public static class TrainableParts
{
    /// <summary>Every name with what it stands for.</summary>
    internal static readonly (string Name, TrainableSet Value)[] All =
        [("head", TrainableSet.Head), ("last-but-one", TrainableSet.LastButOne), ("last-two", TrainableSet.LastTwo), ("all", TrainableSet.All)];

    /// <summary>Reads <c>--trainable</c>.</summary>
    /// <exception cref="UserException">There is no such part.</exception>
    public static TrainableSet Parse(string name)
    {
        foreach (var (known, value) in All)
        {
            if (known == name) return value;
        }
        throw new UserException($"--trainable {name}: give {string.Join(", ", All[..^1].Select(p => p.Name))} or {All[^1].Name}");
    }
}
