using System;

namespace RingFlash.Reference.Operators;

public static partial class IcePopMask
{
    /// <summary>In float64; the normative decision and weight.</summary>
    /// <param name="training">[tokens], float64, read.</param>
    /// <param name="inference">[tokens], float64, read.</param>
    /// <param name="responseMask">[tokens], 1 for a response token, read.</param>
    /// <param name="alpha">The lower end, ≥ 0.</param>
    /// <param name="beta">The upper end, ≥ alpha; +∞ allowed.</param>
    /// <param name="weights">[tokens], float64, written.</param>
    /// <param name="decisions">[tokens], written.</param>
    public static void Exact(
        ReadOnlySpan<double> training,
        ReadOnlySpan<double> inference,
        ReadOnlySpan<byte> responseMask,
        double alpha,
        double beta,
        Span<double> weights,
        Span<TokenDecision> decisions)
    {
        RequireBand(alpha, beta);
        double lowest = Math.Log(alpha), highest = Math.Log(beta);
        for (int t = 0; t < training.Length; t++)
        {
            double difference = training[t] - inference[t];
            TokenDecision decision = responseMask[t] == 0 ? TokenDecision.Padding
                : !double.IsFinite(difference) ? TokenDecision.NonFinite
                : difference < lowest ? TokenDecision.MaskedLow
                : difference > highest ? TokenDecision.MaskedHigh
                : TokenDecision.Kept;
            double weight = decision == TokenDecision.Kept ? Math.Exp(difference) : 0;
            bool overflow = double.IsPositiveInfinity(weight);
            weights[t] = overflow ? 0 : weight;
            decisions[t] = overflow ? TokenDecision.NonFinite : decision;
        }
    }
}
