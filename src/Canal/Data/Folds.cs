using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Canal.Data;

/// <summary>
/// The fixed division of labelled cells into training and validation (method.md section 4): by a hash of data set name and cell id, so that a cell's
/// fold never depends on seed, order or company of other types. What was trained on never validates a later stage.
/// </summary>
public static class Folds
{
    /// <summary>Share of the cells of a type that validate.</summary>
    public const double ValidationShare = 0.2;

    /// <summary>The number a cell is ordered by: the first 8 bytes of SHA-256 of <c>name \n cell id</c>, most significant first.</summary>
    public static ulong HashOf(string dataSet, string cellId) =>
        BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(dataSet + "\n" + cellId)));

    /// <summary>Which cells validate: of each type's n cells, ordered by hash, the first floor(0.2 n + 0.5); of one cell none.</summary>
    /// <param name="dataSet">The stage's name, else the content hash of the file.</param>
    /// <param name="cellIds">Cell ids.</param>
    /// <param name="labels">Type of each cell; negative for none (in neither fold: false).</param>
    /// <param name="share">Share that validates.</param>
    public static bool[] Validation(string dataSet, IReadOnlyList<string> cellIds, IReadOnlyList<int> labels, double share = ValidationShare)
    {
        ArgumentNullException.ThrowIfNull(cellIds);
        ArgumentNullException.ThrowIfNull(labels);
        var validation = new bool[cellIds.Count];
        foreach (var type in Enumerable.Range(0, cellIds.Count).Where(c => labels[c] >= 0).GroupBy(c => labels[c]))
        {
            // Equal hashes do not occur in practice; the id decides them all the same.
            var ordered = type.OrderBy(c => HashOf(dataSet, cellIds[c])).ThenBy(c => cellIds[c], StringComparer.Ordinal).ToArray();
            if (ordered.Length < 2) continue;
            var places = (int)Math.Floor(share * ordered.Length + 0.5);
            for (var i = 0; i < places; i++) validation[ordered[i]] = true;
        }
        return validation;
    }

    /// <summary>Validation cells of a data set without labels (pre-training), all cells taken as one type.</summary>
    public static bool[] Validation(string dataSet, IReadOnlyList<string> cellIds, double share)
    {
        ArgumentNullException.ThrowIfNull(cellIds);
        return Validation(dataSet, cellIds, new int[cellIds.Count], share);
    }
}
