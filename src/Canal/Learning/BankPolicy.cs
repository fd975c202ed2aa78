namespace Canal.Learning;

/// <summary>How the example bank ranks a type's cells (method.md section 4).</summary>
public enum BankPolicy : byte
{
    /// <summary>By representation . prototype, best first: CANAL's, the most typical cells.</summary>
    Prototype,

    /// <summary>In an order drawn uniformly from the seed.</summary>
    Random,

    /// <summary>So that the mean of the first n is close to the type's mean, for every n (iCaRL; Rebuffi et al., CVPR 2017).</summary>
    Herding,

    /// <summary>By turns the most typical and a random cell.</summary>
    Mixed,
}

/// <summary>Names of the policies on the command line and in model files.</summary>
public static class BankPolicies
{
    /// <summary>All names, as the user writes them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetNames<BankPolicy>().Select(name => name.ToLowerInvariant())];

    /// <summary>The policy of a name.</summary>
    /// <exception cref="UserException">There is no such policy; the message lists those there are.</exception>
    public static BankPolicy Parse(string name)
    {
        for (var policy = 0; policy < Names.Count; policy++)
        {
            if (Names[policy] == name) return (BankPolicy)policy;
        }
        throw new UserException($"There is no bank policy '{name}'; choose one of {string.Join(", ", Names)}.");
    }
}
