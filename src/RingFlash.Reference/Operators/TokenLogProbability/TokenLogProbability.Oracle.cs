using System;

namespace RingFlash.Reference.Operators;

public static partial class TokenLogProbability
{
    /// <summary>In float64.</summary>
    /// <param name="logits">[vocabulary], float64, read.</param>
    /// <param name="token">The token.</param>
    /// <returns>Nats.</returns>
    public static double Exact(ReadOnlySpan<double> logits, long token)
    {
        (double maximum, double logSum) = LogSoftmax.Exact(logits);
        return logits[(int)token] - maximum - logSum;
    }
}
