using System;

namespace RingFlash.Reference.Operators;

public static partial class RotaryEmbedding
{
    /// <summary>In float64, unrounded, for one head of one token.</summary>
    /// <param name="x">[headDim], float64, read.</param>
    /// <param name="cosine">[R], float64, read.</param>
    /// <param name="sine">[R], float64, read.</param>
    /// <param name="y">[headDim], float64, written; not x.</param>
    public static void Exact(
        ReadOnlySpan<double> x, ReadOnlySpan<double> cosine, ReadOnlySpan<double> sine, Span<double> y)
    {
        int half = cosine.Length / 2;
        for (int d = 0; d < half; d++)
        {
            y[d] = (x[d] * cosine[d]) - (x[d + half] * sine[d]);
            y[d + half] = (x[d + half] * cosine[d + half]) + (x[d] * sine[d + half]);
        }

        x[cosine.Length..].CopyTo(y[cosine.Length..]);
    }
}
