using System;

namespace RingFlash.Reference.Operators;

public static partial class ClippedSurrogate
{
    /// <summary>
    /// dy/dlog r: exactly 0 where clipped, and the contribution itself elsewhere, because d(r)/d(log r) = r. A selection
    /// without arithmetic, so one definition serves every engine and precision.
    /// </summary>
    /// <typeparam name="T">The number type.</typeparam>
    /// <param name="contributions">[tokens], read: the forward result.</param>
    /// <param name="clipped">[tokens], read.</param>
    /// <param name="gradient">[tokens], written; may be contributions.</param>
    public static void Backward<T>(ReadOnlySpan<T> contributions, ReadOnlySpan<byte> clipped, Span<T> gradient)
        where T : struct
    {
        for (int t = 0; t < contributions.Length; t++)
        {
            gradient[t] = clipped[t] != 0 ? default : contributions[t];
        }
    }
}
