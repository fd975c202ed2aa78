using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>Layer norm by another route than the kernels: variance from all pairs of channels, backward through the full Jacobian.</summary>
public static class LayerNormReference
{
    /// <summary>y [n, c], mean [n], rstd [n].</summary>
    public static (T[] Y, T[] Mean, T[] Rstd) Forward<T>(T[] x, T[] gamma, T[] beta, double epsilon) where T : IFloatingPointIeee754<T>
    {
        var c = gamma.Length;
        var n = x.Length / c;
        var (y, means, rstds, channels) = (new T[x.Length], new T[n], new T[n], T.CreateChecked(c));
        for (var row = 0; row < n; row++)
        {
            var values = x.AsSpan(row * c, c);
            var (sum, pairs) = (T.Zero, T.Zero);
            for (var i = c - 1; i >= 0; i--)
            {
                sum += values[i];
                for (var j = 0; j < i; j++) pairs += (values[i] - values[j]) * (values[i] - values[j]);
            }
            means[row] = sum / channels;
            rstds[row] = T.One / T.Sqrt((pairs / channels / channels) + T.CreateChecked(epsilon));
            for (var i = 0; i < c; i++) y[(row * c) + i] = ((values[i] - means[row]) * rstds[row] * gamma[i]) + beta[i];
        }
        return (y, means, rstds);
    }

    /// <summary>dx [n, c], dgamma [c], dbeta [c]. dy_j/dx_i = gamma_j rstd (1 if i = j - 1/C - n_i n_j / C).</summary>
    public static (T[] DX, T[] DGamma, T[] DBeta) Backward<T>(T[] dy, T[] x, T[] mean, T[] rstd, T[] gamma) where T : IFloatingPointIeee754<T>
    {
        var c = gamma.Length;
        var n = x.Length / c;
        var (dx, dgamma, dbeta, channels) = (new T[x.Length], new T[c], new T[c], T.CreateChecked(c));
        var normalised = new T[c];
        for (var row = n - 1; row >= 0; row--)
        {
            for (var i = 0; i < c; i++) normalised[i] = (x[(row * c) + i] - mean[row]) * rstd[row];
            for (var i = 0; i < c; i++)
            {
                dgamma[i] += dy[(row * c) + i] * normalised[i];
                dbeta[i] += dy[(row * c) + i];
                var sum = T.Zero;
                for (var j = 0; j < c; j++)
                {
                    var jacobian = (i == j ? T.One : T.Zero) - (T.One / channels) - (normalised[i] * normalised[j] / channels);
                    sum += dy[(row * c) + j] * gamma[j] * rstd[row] * jacobian;
                }
                dx[(row * c) + i] = sum;
            }
        }
        return (dx, dgamma, dbeta);
    }
}
