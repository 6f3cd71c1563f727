using System;

namespace RingFlash.Reference.Operators;

public static partial class LogSoftmax
{
    /// <summary>In float64.</summary>
    /// <param name="logits">[vocabulary], float64, read.</param>
    /// <returns>m and L.</returns>
    public static (double Maximum, double LogSum) Exact(ReadOnlySpan<double> logits)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (double logit in logits)
        {
            maximum = logit > maximum ? logit : maximum;
        }

        foreach (double logit in logits)
        {
            sum += Math.Exp(logit - maximum);
        }

        return (maximum, Math.Log(sum));
    }
}
