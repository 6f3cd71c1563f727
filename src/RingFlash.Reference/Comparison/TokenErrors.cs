using System;

namespace RingFlash.Reference.Comparison;

/// <summary>The difference of two tensors, kept per token.</summary>
/// <param name="Squared">Σ (a − b)² of a token.</param>
/// <param name="Largest">max |a − b| of a token; NaN where either is not finite and they differ.</param>
internal sealed record TokenErrors(double[] Squared, double[] Largest)
{
    /// <summary>Measures.</summary>
    /// <param name="a">One.</param>
    /// <param name="b">The other.</param>
    /// <param name="map">Whose is what.</param>
    /// <returns>The differences.</returns>
    public static TokenErrors Between(ReadOnlySpan<float> a, ReadOnlySpan<float> b, TokenMap map)
    {
        double[] squared = new double[map.Count], largest = new double[map.Count];
        for (int index = 0; index < a.Length; index++)
        {
            float left = a[index], right = b[index];
            if (left.Equals(right))
            {
                continue; // alike, even where both are NaN or infinite
            }

            double difference = Math.Abs((double)left - right);
            int token = map.Of(index, a.Length);
            squared[token] += difference * difference;
            largest[token] = difference <= largest[token] ? largest[token] : difference;
        }

        return new TokenErrors(squared, largest);
    }

    /// <summary>Sums of squares per token.</summary>
    /// <param name="values">The values.</param>
    /// <param name="map">Whose is what.</param>
    /// <returns>Σ value² of a token.</returns>
    public static double[] Squares(ReadOnlySpan<float> values, TokenMap map)
    {
        double[] squared = new double[map.Count];
        for (int index = 0; index < values.Length; index++)
        {
            squared[map.Of(index, values.Length)] += (double)values[index] * values[index];
        }

        return squared;
    }
}
