using Canal.Engine.Optimizers;

namespace Canal.Cli.Commands;

/// <summary>Names of what trains, as the command line and stream files write them.</summary>
internal static class TrainableParts
{
    /// <summary>Reads <c>--trainable</c>.</summary>
    /// <exception cref="UserException">There is no such part.</exception>
    public static TrainableSet Parse(string name) => name switch
    {
        "head" => TrainableSet.Head,
        "last-but-one" => TrainableSet.LastButOne,
        "last-two" => TrainableSet.LastTwo,
        "all" => TrainableSet.All,
        _ => throw new UserException($"--trainable {name}: give head, last-but-one, last-two or all"),
    };
}
