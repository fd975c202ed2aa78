using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>Sums over rows, tables and the head's filter, each as its definition says.</summary>
public static class RowReference
{
    /// <summary>sum over rows of x [n, columns], last row first.</summary>
    public static T[] ColumnSum<T>(T[] x, int columns) where T : IFloatingPointIeee754<T>
    {
        var sum = new T[columns];
        for (var i = x.Length - 1; i >= 0; i--) sum[i % columns] += x[i];
        return sum;
    }

    /// <summary>x[b, t] = bins[token[b, t]] + genes[t].</summary>
    public static T[] Embedding<T>(int[] tokens, T[] bins, T[] genes, int columns) where T : IFloatingPointIeee754<T>
    {
        var x = new T[tokens.Length * columns];
        for (var i = 0; i < x.Length; i++) x[i] = bins[(tokens[i / columns] * columns) + (i % columns)] + genes[i % genes.Length];
        return x;
    }

    /// <summary>The gradients of both tables.</summary>
    public static (T[] DBins, T[] DGenes) EmbeddingBackward<T>(T[] dx, int[] tokens, int tokenKinds, int length, int columns) where T : IFloatingPointIeee754<T>
    {
        var (dbins, dgenes) = (new T[tokenKinds * columns], new T[length * columns]);
        for (var i = dx.Length - 1; i >= 0; i--)
        {
            dbins[(tokens[i / columns] * columns) + (i % columns)] += dx[i];
            dgenes[i % dgenes.Length] += dx[i];
        }
        return (dbins, dgenes);
    }

    /// <summary>u = relu(w . y + b), a number a row.</summary>
    public static T[] HeadFilter<T>(T[] y, T[] w, T bias) where T : IFloatingPointIeee754<T>
    {
        var u = new T[y.Length / w.Length];
        for (var n = 0; n < u.Length; n++)
        {
            var sum = bias;
            for (var c = w.Length - 1; c >= 0; c--) sum += w[c] * y[(n * w.Length) + c];
            u[n] = T.Max(sum, T.Zero);
        }
        return u;
    }

    /// <summary>The gradients of y, w and the bias.</summary>
    public static (T[] DY, T[] DW, T DBias) HeadFilterBackward<T>(T[] du, T[] u, T[] y, T[] w) where T : IFloatingPointIeee754<T>
    {
        var (dy, dw, dbias) = (new T[y.Length], new T[w.Length], T.Zero);
        for (var n = u.Length - 1; n >= 0; n--)
        {
            if (u[n] <= T.Zero) continue;
            dbias += du[n];
            for (var c = 0; c < w.Length; c++)
            {
                dy[(n * w.Length) + c] = du[n] * w[c];
                dw[c] += du[n] * y[(n * w.Length) + c];
            }
        }
        return (dy, dw, dbias);
    }
}
