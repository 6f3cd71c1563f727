using System;

namespace RingFlash.Reference.Operators;

public static partial class RmsNorm
{
    /// <summary>The same in float64 without intermediate rounding; only for measuring error.</summary>
    /// <param name="x">[tokens, hidden], float64, read.</param>
    /// <param name="weight">[hidden], float32, read.</param>
    /// <param name="epsilon">Inside the root; the float32 value.</param>
    /// <param name="y">[tokens, hidden], float64, written; may be x.</param>
    public static void Exact(ReadOnlySpan<double> x, ReadOnlySpan<float> weight, float epsilon, Span<double> y)
    {
        int hidden = weight.Length;
        for (int start = 0; start < x.Length; start += hidden)
        {
            double sumOfSquares = 0;
            for (int h = 0; h < hidden; h++)
            {
                sumOfSquares += x[start + h] * x[start + h];
            }

            double root = Math.Sqrt((sumOfSquares / hidden) + epsilon);
            for (int h = 0; h < hidden; h++)
            {
                y[start + h] = weight[h] * (x[start + h] / root);
            }
        }
    }
}
