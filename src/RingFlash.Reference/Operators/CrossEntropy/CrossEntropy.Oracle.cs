using System;

namespace RingFlash.Reference.Operators;

public static partial class CrossEntropy
{
    /// <summary>In float64.</summary>
    /// <param name="logits">[positions, vocabulary], float64, read.</param>
    /// <param name="targets">[positions], read.</param>
    /// <returns>Nats.</returns>
    public static double Exact(ReadOnlySpan<double> logits, ReadOnlySpan<long> targets)
    {
        int vocabulary = targets.IsEmpty ? 0 : logits.Length / targets.Length, count = 0;
        double sum = 0;
        for (int position = 0; position < targets.Length; position++)
        {
            if (targets[position] != IgnoreIndex)
            {
                sum -= TokenLogProbability.Exact(logits.Slice(position * vocabulary, vocabulary), targets[position]);
                count++;
            }
        }

        return sum / count;
    }
}
