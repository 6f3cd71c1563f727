namespace RingFlash.Reference.Generation;

/// <summary>
/// When a draft is accepted, such that the output follows the model's distribution P although the drafts follow
/// another, Q.
/// </summary>
/// <remarks>
/// <para>Draw x from Q and u from [0, 1). Accept x if u · Q(x) &lt; P(x), else draw from max(0, P − Q), normalised.
/// </para>
/// <para>Proof: an accepted x has probability Q(x)·min(1, P(x)/Q(x)) = min(P(x), Q(x)). A rejection has what is left,
/// 1 − Σ min(P, Q) = Σ max(0, P − Q): the very divisor of the second draw, which so adds max(0, P(x) − Q(x)).
/// And min(P, Q) + max(0, P − Q) = P. ∎</para>
/// <para>Greedy is the case of one token with all mass: a draft is accepted exactly when it is the token that the
/// model would have chosen.</para>
/// <para>Source: Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding", ICML 2023;
/// Chen et al., arXiv 2302.01318.</para>
/// </remarks>
internal static class SpeculativeRule
{
    /// <summary>Whether a draft is accepted.</summary>
    /// <param name="target">P(x).</param>
    /// <param name="draft">Q(x), above 0.</param>
    /// <param name="uniform">u.</param>
    /// <returns>The answer.</returns>
    public static bool Accepts(double target, double draft, double uniform) => uniform * draft < target;
}
