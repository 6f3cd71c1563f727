using System;

namespace RingFlash.Reference.Operators;

/// <summary>The counts of a whole batch that the aggregations divide by, fixed before anything is summed.</summary>
/// <remarks>A batch that is split into micro-batches passes the counts of the whole to each part; then the parts'
/// losses and gradients add up to the whole's.</remarks>
/// <param name="Rollouts">B, all rows.</param>
/// <param name="NonEmptyRollouts">B⁺, rows with at least one response token.</param>
/// <param name="Tokens">N, response tokens of the original mask.</param>
public readonly record struct LossDenominators(double Rollouts, double NonEmptyRollouts, double Tokens)
{
    /// <summary>Counts a batch.</summary>
    /// <param name="rowCounts">[rollouts], response tokens of each row.</param>
    /// <returns>The counts.</returns>
    public static LossDenominators Count(ReadOnlySpan<int> rowCounts)
    {
        long tokens = 0;
        int nonEmpty = 0;
        foreach (int count in rowCounts)
        {
            tokens += count;
            nonEmpty += count > 0 ? 1 : 0;
        }

        return new LossDenominators(rowCounts.Length, nonEmpty, tokens);
    }
}
