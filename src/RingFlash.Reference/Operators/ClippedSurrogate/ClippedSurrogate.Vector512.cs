using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Operators;

public static partial class ClippedSurrogate
{
    /// <summary>Lanes: sixteen consecutive tokens of one response. Remainder: the scalar expression.</summary>
    /// <param name="ratio">[tokens], float32, read.</param>
    /// <param name="weights">[tokens], float32, read.</param>
    /// <param name="decisions">[tokens], read; only <see cref="TokenDecision.Kept"/> counts.</param>
    /// <param name="advantage">Â, finite.</param>
    /// <param name="bounds">The clip.</param>
    /// <param name="contributions">[tokens], float32, written.</param>
    /// <param name="clipped">[tokens], written: 1 where clipped.</param>
    public static void Vectorised(
        ReadOnlySpan<float> ratio,
        ReadOnlySpan<float> weights,
        ReadOnlySpan<TokenDecision> decisions,
        float advantage,
        SurrogateBounds bounds,
        Span<float> contributions,
        Span<byte> clipped)
    {
        bounds.Require();
        Vector512<float> lowest = Vector512.Create(advantage < 0 ? (float)bounds.Lowest : float.NegativeInfinity);
        Vector512<float> highest = Vector512.Create(advantage > 0 ? (float)bounds.Highest
            : advantage < 0 ? (float)bounds.DualClip : float.PositiveInfinity);
        Vector512<float> factor = Vector512.Create(advantage);
        Vector512<float> zeroAdvantage = Vector512.Equals(factor, Vector512<float>.Zero);
        ReadOnlySpan<byte> decisionBytes = MemoryMarshal.AsBytes(decisions);
        int t = 0;
        for (; t + 16 <= ratio.Length; t += 16)
        {
            Vector512<float> r = Vector512.Create(ratio[t..]);
            Vector512<float> w = Vector512.Create(weights[t..]);
            Vector512<float> below = Vector512.LessThan(r, lowest);
            Vector512<float> above = Vector512.GreaterThan(r, highest);
            Vector512<float> limited = Vector512.ConditionalSelect(
                below, lowest, Vector512.ConditionalSelect(above, highest, r));
            Vector512<float> kept = Vector512.Equals(
                IcePopMask.WidenBytes(decisionBytes[t..]), Vector512.Create((int)TokenDecision.Kept)).AsSingle();
            Vector512<float> numbers = Vector512.Equals(r, r) & Vector512.Equals(w, w);
            Vector512<float> computed = Vector512.AndNot(kept, zeroAdvantage & numbers);
            Vector512.ConditionalSelect(computed, limited * factor * -w, Vector512<float>.Zero)
                .CopyTo(contributions[t..]);
            Vector512<int> flags = (kept & (below | above)).AsInt32() & Vector512<int>.One;
            IcePopMask.NarrowToBytes(flags).CopyTo(clipped[t..]);
        }

        Scalar(
            ratio[t..], weights[t..], decisions[t..], advantage, bounds, contributions[t..], clipped[t..]);
    }
}
