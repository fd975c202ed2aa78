namespace Canal.Models;

/// <summary>
/// The cell types that a model knows, each with an index for ever: the row of the last layer that is its prototype (method.md section 4).
/// Immutable; growing makes a new library. Names are matched after trimming; case is kept and matters.
/// </summary>
public sealed class CellTypeLibrary
{
    /// <summary>What annotation writes for a novel cell; no cell type may be called so.</summary>
    public const string Unassigned = "Unassigned";

    private const int LongestName = 1000;
    private readonly string[] names;
    private readonly int[] stages;
    private readonly Dictionary<string, int> indices = new(StringComparer.Ordinal);

    /// <summary>A library of given types.</summary>
    /// <param name="names">Trimmed on the way in; distinct after that.</param>
    /// <param name="stages">The stage each type came in, from 1, never falling.</param>
    /// <exception cref="UserException">A name is empty, too long, reserved or there twice, or the stages are impossible.</exception>
    public CellTypeLibrary(IEnumerable<string> names, IEnumerable<int> stages)
    {
        this.names = [.. names.Select(Normalise)];
        this.stages = [.. stages];
        if (this.names.Length != this.stages.Length) throw new UserException($"A library of {this.names.Length} cell types with {this.stages.Length} stages.");
        for (var type = 0; type < this.names.Length; type++)
        {
            if (!indices.TryAdd(this.names[type], type)) throw new UserException($"The cell type '{this.names[type]}' is in the library twice.");
            if (this.stages[type] < (type == 0 ? 1 : this.stages[type - 1])) throw new UserException($"The cell type '{this.names[type]}' has an impossible stage, {this.stages[type]}.");
        }
    }

    /// <summary>The library of a model that knows no cell type yet.</summary>
    public static CellTypeLibrary Empty { get; } = new([], []);

    /// <summary>Number of types, K.</summary>
    public int Count => names.Length;

    /// <summary>Names by index.</summary>
    public IReadOnlyList<string> Names => names;

    /// <summary>The stage in which each type came in, from 1, by index.</summary>
    public IReadOnlyList<int> Stages => stages;

    /// <summary>Index of a type; false where the model does not know it.</summary>
    public bool TryFind(string name, out int index) => indices.TryGetValue(name.Trim(), out index);

    /// <summary>Index of a type, or -1.</summary>
    public int IndexOf(string name) => TryFind(name, out var index) ? index : -1;

    /// <summary>This library with the types it does not know yet appended, in ordinal order of their names.</summary>
    /// <param name="labels">Labels of a stage's cells, in any order and number.</param>
    /// <param name="stage">The stage they come in, from 1.</param>
    /// <exception cref="UserException">A name is empty, too long or reserved.</exception>
    public CellTypeLibrary Grow(IEnumerable<string> labels, int stage)
    {
        var fresh = labels.Select(Normalise).Where(name => !indices.ContainsKey(name)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        return fresh.Length == 0 ? this : new CellTypeLibrary([.. names, .. fresh], [.. stages, .. fresh.Select(_ => stage)]);
    }

    private static string Normalise(string name)
    {
        var trimmed = name.Trim();
        return trimmed switch
        {
            "" => throw new UserException("A cell type has an empty name; label those cells, or leave them out."),
            Unassigned => throw new UserException($"A cell type is called '{Unassigned}', which is what Canal writes for novel cells; rename it, or leave those cells out."),
            { Length: > LongestName } => throw new UserException($"A cell type has a name of {trimmed.Length} characters ('{trimmed[..40]}...'); is this the right column?"),
            _ => trimmed,
        };
    }
}
