using System;

namespace RingFlash.Reference.Operators;

public static partial class ClippedSurrogate
{
    /// <summary>In float64; the normative contribution.</summary>
    /// <param name="ratio">[tokens], float64, read.</param>
    /// <param name="weights">[tokens], float64, read.</param>
    /// <param name="decisions">[tokens], read; only <see cref="TokenDecision.Kept"/> counts.</param>
    /// <param name="advantage">Â, finite.</param>
    /// <param name="bounds">The clip.</param>
    /// <param name="contributions">[tokens], float64, written.</param>
    /// <param name="clipped">[tokens], written: 1 where clipped.</param>
    public static void Exact(
        ReadOnlySpan<double> ratio,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<TokenDecision> decisions,
        double advantage,
        SurrogateBounds bounds,
        Span<double> contributions,
        Span<byte> clipped)
    {
        bounds.Require();
        double lowest = advantage < 0 ? bounds.Lowest : double.NegativeInfinity;
        double highest = advantage > 0 ? bounds.Highest
            : advantage < 0 ? bounds.DualClip : double.PositiveInfinity;
        for (int t = 0; t < ratio.Length; t++)
        {
            double limited = ratio[t] < lowest ? lowest : ratio[t] > highest ? highest : ratio[t];
            bool kept = decisions[t] == TokenDecision.Kept;
            double value = limited * advantage * -weights[t];
            bool zero = advantage == 0 && !double.IsNaN(ratio[t]) && !double.IsNaN(weights[t]);
            contributions[t] = !kept || zero ? 0 : value;
            clipped[t] = kept && (ratio[t] < lowest || ratio[t] > highest) ? (byte)1 : (byte)0;
        }
    }
}
