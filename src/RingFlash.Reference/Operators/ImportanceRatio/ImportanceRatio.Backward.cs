using System;

namespace RingFlash.Reference.Operators;

public static partial class ImportanceRatio
{
    /// <summary>
    /// dy/dnumerator = y where the clamp does not act, at its ends included, and exactly 0 where it does; a NaN flows.
    /// One product per token, so one definition serves every engine. The denominator is a constant of the update.
    /// </summary>
    /// <param name="numerator">[tokens], float32, read.</param>
    /// <param name="denominator">[tokens], float32, read.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <param name="ratio">[tokens], float32, read: the forward result.</param>
    /// <param name="upstream">[tokens], float32, read: the gradient with respect to y.</param>
    /// <param name="gradient">[tokens], float32, written; may be upstream.</param>
    public static void Backward(
        ReadOnlySpan<float> numerator,
        ReadOnlySpan<float> denominator,
        float clamp,
        ReadOnlySpan<float> ratio,
        ReadOnlySpan<float> upstream,
        Span<float> gradient)
    {
        for (int t = 0; t < ratio.Length; t++)
        {
            float difference = numerator[t] - denominator[t];
            bool clamped = difference > clamp || difference < -clamp;
            gradient[t] = clamped ? 0f : upstream[t] * ratio[t];
        }
    }
}
