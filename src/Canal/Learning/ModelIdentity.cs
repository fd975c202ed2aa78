using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Canal.Models;

namespace Canal.Learning;

/// <summary>A hash of everything in a model that decides what a stage makes of it.</summary>
internal static class ModelIdentity
{
    /// <summary>Hash of weights, genes, cell types and bank.</summary>
    public static string Of(AnnotationModel model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add($"{model.Configuration}\n{model.Panel.Vocabulary.Hash}\n{string.Join(' ', model.Panel.Genes)}\n{string.Join('\n', model.Library.Names)}\n{model.Stages}\n");
        foreach (var (name, values) in model.Weights.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            Add(name);
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        foreach (var example in model.Bank.Examples)
        {
            Add($"{example.Label} {example.Validates} {example.Stage} {example.Rank} {example.Source}\n{example.CellId}\n");
            hash.AppendData(MemoryMarshal.AsBytes(example.Positions.AsSpan()));
            hash.AppendData(example.Bins);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
    }
}
