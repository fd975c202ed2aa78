namespace Canal.Learning;

/// <summary>
/// The cells that a model keeps from earlier stages (method.md section 4): never more than <see cref="Capacity"/>, and of each known type
/// never more than its quota floor(L / K), of which floor(quota / 5) places are for validation cells. Immutable; a stage makes a new bank.
/// </summary>
public sealed class ExampleBank
{
    private const int ValidationOneIn = 5;
    private readonly BankExample[] examples;

    /// <summary>A bank of given cells.</summary>
    /// <param name="capacity">L, at least 0.</param>
    /// <param name="examples">At most L; put in order of type, fold (training first), stage and rank.</param>
    /// <exception cref="ArgumentException">There are more cells than places.</exception>
    public ExampleBank(int capacity, IEnumerable<BankExample> examples)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Capacity = capacity;
        this.examples = [.. examples.OrderBy(e => e.Label).ThenBy(e => e.Validates).ThenBy(e => e.Stage).ThenBy(e => e.Rank)];
        if (this.examples.Length > capacity) throw new ArgumentException($"A bank of {capacity} places and {this.examples.Length} cells.", nameof(examples));
    }

    /// <summary>L: the most cells it holds.</summary>
    public int Capacity { get; }

    /// <summary>Number of cells it holds.</summary>
    public int Count => examples.Length;

    /// <summary>The cells, by type, fold (training first), stage and rank.</summary>
    public IReadOnlyList<BankExample> Examples => examples;

    /// <summary>An empty bank of L places.</summary>
    public static ExampleBank Empty(int capacity) => new(capacity, []);

    /// <summary>Places of a type in a bank of <paramref name="capacity"/> for <paramref name="types"/> known types.</summary>
    /// <exception cref="UserException">There are more types than places; the message says what to set.</exception>
    public static int Quota(int capacity, int types) => capacity >= types
        ? capacity / types
        : throw new UserException($"The example bank has {capacity} places for {types} cell types; set --bank to at least {types}.");

    /// <summary>Of a quota, the places that are for validation cells.</summary>
    public static int ValidationPlaces(int quota) => quota / ValidationOneIn;

    /// <summary>The bank after a stage.</summary>
    /// <remarks>
    /// Older examples keep their rank and compete with the new by rank within their own stage, ties going to the older. A place that
    /// training or validation cells cannot fill stays empty, and unused quota goes to no other type.
    /// </remarks>
    /// <param name="types">K: number of types known after the stage.</param>
    /// <param name="stage">The stage, from 1.</param>
    /// <param name="ranking">Its cells, and what the policies look at.</param>
    /// <param name="policy">How a type's training cells are ranked.</param>
    /// <param name="tokensOf">Tokens of a candidate, asked for only where it is kept.</param>
    /// <param name="folds">False gives all places to training cells, whatever the candidates' fold: the published rule, for comparison with it.</param>
    /// <exception cref="UserException">There are more types than places; the message says what to set.</exception>
    public ExampleBank Update(int types, int stage, BankRanking ranking, BankPolicy policy, Func<int, SparseTokens> tokensOf, bool folds = true)
    {
        if (Capacity == 0) return this;
        var quota = Quota(Capacity, types);
        var validation = folds ? ValidationPlaces(quota) : 0;
        var kept = new List<BankExample>();
        var byType = Enumerable.Range(0, ranking.Candidates.Count).ToLookup(cell => ranking.Candidates[cell].Label);
        for (var type = 0; type < types; type++)
        {
            var training = byType[type].Where(cell => !folds || !ranking.Candidates[cell].Validates).ToArray();
            var validating = byType[type].Where(cell => folds && ranking.Candidates[cell].Validates).OrderBy(cell => ranking.Candidates[cell].FoldHash).ToArray();
            kept.AddRange(Compete(type, false, quota - validation, ranking.Order(policy, training, quota - validation)));
            kept.AddRange(Compete(type, true, validation, validating));
        }
        return new ExampleBank(Capacity, kept);

        IEnumerable<BankExample> Compete(int type, bool validates, int places, int[] fresh)
        {
            var old = examples.Where(e => e.Label == type && e.Validates == validates).Select(e => (e.Stage, e.Rank, Cell: -1, Example: (BankExample?)e));
            var now = fresh.Select((cell, place) => (Stage: stage, Rank: place + 1, Cell: cell, Example: (BankExample?)null));
            return old.Concat(now).OrderBy(e => e.Rank).ThenBy(e => e.Stage).Take(places)
                .Select(e => e.Example ?? Make(ranking.Candidates[e.Cell], stage, e.Rank, validates, tokensOf(e.Cell)));
        }
    }

    /// <summary>The bank after a stage when its places are not shared out by type: a uniform draw over all cells seen, a fifth of the places for validation cells.</summary>
    /// <remarks>Only for measuring what balance is worth. Ranks number the cells of a stage and fold in the order drawn.</remarks>
    public ExampleBank UpdateUnbalanced(int stage, BankRanking ranking, Func<int, SparseTokens> tokensOf)
    {
        var all = examples.Select(e => (Chance: BankRanking.Chance(ranking.Seed, e.Source, e.CellId), e.Validates, Cell: -1, Example: (BankExample?)e))
            .Concat(ranking.Candidates.Select((c, cell) => (Chance: BankRanking.Chance(ranking.Seed, c.Source, c.CellId), c.Validates, Cell: cell, Example: (BankExample?)null)))
            .OrderBy(e => e.Chance).ToArray();
        var validation = ValidationPlaces(Capacity);
        var kept = new List<BankExample>();
        foreach (var (validates, places) in new[] { (false, Capacity - validation), (true, validation) })
        {
            var rank = 0;
            foreach (var (_, _, cell, example) in all.Where(e => e.Validates == validates).Take(places))
            {
                kept.Add(example ?? Make(ranking.Candidates[cell], stage, ++rank, validates, tokensOf(cell)));
            }
        }
        return new ExampleBank(Capacity, kept);
    }

    private static BankExample Make(BankCandidate cell, int stage, int rank, bool validates, SparseTokens tokens) =>
        new(cell.Label, validates, stage, rank, cell.Source, cell.CellId, tokens.Positions, tokens.Bins);
}
