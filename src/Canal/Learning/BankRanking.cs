using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Canal.Engine.Random;

namespace Canal.Learning;

/// <summary>What a policy may look at: the candidates, and where the model puts them and their types.</summary>
/// <param name="Candidates">The cells of a stage, in file order.</param>
/// <param name="Representations">[cells, width], row-major: the representation of each candidate under the model just learned.</param>
/// <param name="Prototypes">[types, width], row-major: row k of the last layer is type k's prototype.</param>
/// <param name="Width">Length of a representation.</param>
/// <param name="Seed">Seed of the random policies.</param>
public sealed record BankRanking(IReadOnlyList<BankCandidate> Candidates, ReadOnlyMemory<float> Representations, float[] Prototypes, int Width, ulong Seed)
{
    /// <summary>Orders cells of one type, best first.</summary>
    /// <param name="policy">How.</param>
    /// <param name="cells">Candidate indices, all of one type.</param>
    /// <param name="most">No more than this many are needed.</param>
    public int[] Order(BankPolicy policy, int[] cells, int most) => policy switch
    {
        BankPolicy.Prototype => [.. ByPrototype(cells).Take(most)],
        BankPolicy.Random => [.. ByChance(cells).Take(most)],
        BankPolicy.Herding => Herd(cells, Math.Min(most, cells.Length)),
        BankPolicy.Mixed => [.. Alternate(ByPrototype(cells), ByChance(cells)).Take(most)],
        _ => throw new ArgumentOutOfRangeException(nameof(policy)),
    };

    /// <summary>A cell's place in a uniformly random order that depends on the seed and the cell alone, so not on the cells beside it.</summary>
    public static ulong Chance(ulong seed, string source, string cellId)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{source}\n{cellId}"));
        // Bytes 8 to 15: folds are drawn from the first eight, and the bank must not know of them.
        var word = BinaryPrimitives.ReadUInt64BigEndian(digest.AsSpan(8));
        var counter = new PhiloxBlock((uint)(word & uint.MaxValue), (uint)(word >> 32), 0, (uint)RandomPurpose.ExampleBank << 24);
        var block = Philox.Block(counter, seed);
        return ((ulong)block.X1 << 32) | block.X0;
    }

    private int[] ByPrototype(int[] cells) => [.. cells.OrderByDescending(cell => Dot(Of(cell), Prototypes.AsSpan(Candidates[cell].Label * Width, Width)))];

    private int[] ByChance(int[] cells) => [.. cells.OrderBy(cell => Chance(Seed, Candidates[cell].Source, Candidates[cell].CellId))];

    private static IEnumerable<int> Alternate(int[] typical, int[] random)
    {
        var taken = new HashSet<int>();
        for (var (i, j) = (0, 0); taken.Count < typical.Length;)
        {
            while (i < typical.Length && !taken.Add(typical[i])) i++;
            if (i < typical.Length) yield return typical[i];
            while (j < random.Length && !taken.Add(random[j])) j++;
            if (j < random.Length) yield return random[j];
        }
    }

    // Greedily the cell that brings the mean of the chosen closest to the mean of all, on representations of length 1.
    private int[] Herd(int[] cells, int count)
    {
        var directions = Array.ConvertAll(cells, cell => Direction(Of(cell)));
        var mean = new double[Width];
        foreach (var direction in directions) Add(mean, direction, 1.0 / cells.Length);
        var (chosen, sum, taken) = (new int[count], new double[Width], new bool[cells.Length]);
        for (var pick = 0; pick < count; pick++)
        {
            var (best, least) = (-1, double.PositiveInfinity);
            for (var i = 0; i < cells.Length; i++)
            {
                if (taken[i]) continue;
                var distance = 0.0;
                for (var c = 0; c < Width; c++)
                {
                    var difference = mean[c] - ((sum[c] + directions[i][c]) / (pick + 1));
                    distance += difference * difference;
                }
                if (best < 0 || distance < least) (best, least) = (i, distance);
            }
            taken[best] = true;
            chosen[pick] = cells[best];
            Add(sum, directions[best], 1.0);
        }
        return chosen;
    }

    private ReadOnlySpan<float> Of(int cell) => Representations.Span.Slice(cell * Width, Width);

    private static double[] Direction(ReadOnlySpan<float> representation)
    {
        var direction = new double[representation.Length];
        var length = Math.Sqrt(Dot(representation, representation));
        for (var c = 0; c < direction.Length; c++) direction[c] = length > 0 ? representation[c] / length : 0;
        return direction;
    }

    private static void Add(double[] sum, double[] values, double factor)
    {
        for (var c = 0; c < sum.Length; c++) sum[c] += factor * values[c];
    }

    private static double Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        var sum = 0.0;
        for (var c = 0; c < left.Length; c++) sum += (double)left[c] * right[c];
        return sum;
    }
}
