namespace Canal.Annotation;

/// <summary>Gives every cell of a cluster the label that most of its cells have (<c>--cluster</c>).</summary>
internal static class ClusterMajority
{
    /// <summary>Majority label of each cell's cluster; a cell without a cluster keeps its own label.</summary>
    /// <param name="result">The cells' own labels.</param>
    /// <param name="clusters">Cluster of each cell, in the result's order; null where it has none.</param>
    public static ClusterLabel[] Of(AnnotationResult result, IReadOnlyList<string?> clusters)
    {
        if (clusters.Count != result.Count) throw new ArgumentException($"{clusters.Count} clusters for {result.Count} cells.", nameof(clusters));
        var labels = new ClusterLabel[result.Count];
        foreach (var cluster in Enumerable.Range(0, result.Count).Where(cell => clusters[cell] is not null).GroupBy(cell => clusters[cell], StringComparer.Ordinal))
        {
            var members = cluster.ToList();
            var best = members.GroupBy(result.LabelOf, StringComparer.Ordinal)
                .OrderByDescending(g => g.Count())
                .ThenByDescending(g => g.Sum(cell => (double)result.Probabilities[AnnotationResult.TopTypes * cell]))
                .ThenBy(g => g.Key, StringComparer.Ordinal).First();
            foreach (var cell in members) labels[cell] = new ClusterLabel(best.Key, (double)best.Count() / members.Count);
        }
        for (var cell = 0; cell < labels.Length; cell++)
        {
            if (clusters[cell] is null) labels[cell] = new ClusterLabel(result.LabelOf(cell), 1);
        }
        return labels;
    }
}
