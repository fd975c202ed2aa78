using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>Adam as in the paper (Kingma, Ba 2015, algorithm 1): with corrected moments, not with a corrected step size.</summary>
public static class AdamReference
{
    /// <summary>The parameters and moments after one step; <paramref name="largest"/> is null without AMSGrad.</summary>
    public static (T[] Parameters, T[] First, T[] Second, T[]? Largest) Update<T>(
        T[] parameters, T[] gradients, T[] first, T[] second, T[]? largest, double gradientScale,
        long step, double rate, double beta1, double beta2, double epsilon) where T : IFloatingPointIeee754<T>
    {
        var (p, m, v, top) = ((T[])parameters.Clone(), (T[])first.Clone(), (T[])second.Clone(), (T[]?)largest?.Clone());
        var (correction1, correction2) = (1 - Math.Pow(beta1, step), 1 - Math.Pow(beta2, step));
        for (var i = 0; i < p.Length; i++)
        {
            var g = gradients[i] * T.CreateChecked(gradientScale);
            m[i] += (g - m[i]) * T.CreateChecked(1 - beta1);
            v[i] += ((g * g) - v[i]) * T.CreateChecked(1 - beta2);
            var scale = v[i];
            if (top is not null) scale = top[i] = T.Max(top[i], v[i]);
            var (firstMoment, secondMoment) = (m[i] / T.CreateChecked(correction1), scale / T.CreateChecked(correction2));
            p[i] -= T.CreateChecked(rate) * firstMoment / (T.Sqrt(secondMoment) + T.CreateChecked(epsilon));
        }
        return (p, m, v, top);
    }
}
