using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>The exact GELU, x Phi(x).</summary>
public static class GeluReference
{
    /// <summary>x Phi(x).</summary>
    public static T[] Forward<T>(T[] x) where T : IFloatingPointIeee754<T> =>
        Array.ConvertAll(x, v => v * T.CreateChecked(NormalDistribution.Cumulative(double.CreateChecked(v))));

    /// <summary>dy (Phi(x) + x phi(x)).</summary>
    public static T[] Backward<T>(T[] dy, T[] x) where T : IFloatingPointIeee754<T>
    {
        var dx = new T[x.Length];
        for (var i = 0; i < dx.Length; i++)
        {
            var v = double.CreateChecked(x[i]);
            dx[i] = dy[i] * (T.CreateChecked(NormalDistribution.Cumulative(v)) + (x[i] * T.CreateChecked(NormalDistribution.Density(v))));
        }
        return dx;
    }
}
