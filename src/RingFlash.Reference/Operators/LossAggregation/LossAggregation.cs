using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>From per-token contributions to a loss, with denominators that masked tokens do not change.</summary>
/// <remarks>
/// <para>Maths: L = Σ_i c_i · Σ_t m[i,t]·y[i,t]. With n_i = Σ_t m[i,t] and the batch's B, B⁺, N, c_i is 1/(B·max(n_i,
/// 1)), 1/(B⁺·n_i), 1/max(N, 1), 1/B or 1 (<see cref="LossAggregationKind"/>).</para>
/// <para>Axes: y, m [rollouts, response]; n [rollouts]. The mask is the original one: a token that a correction drops
/// contributes 0 and still counts.</para>
/// <para>Types: float32; a row is summed in the vector order over its positions, so padding (+0) changes no stripe; the
/// row terms c_i·Σ are sorted and then summed in the vector order, so the order of the rows changes no bit.
/// Coefficients are computed in float64 and rounded once.</para>
/// <para>Rounding points: none besides float32 arithmetic.</para>
/// <para>Bound: |L − Exact| ≤ (⌈response/32⌉ + ⌈rollouts/32⌉ + 12)·u·Σ_i c_i Σ_t |y|, to first order.</para>
/// <para>Special: padding is excluded by selection and may hold anything. An empty row adds 0; all rows empty, or no
/// row at all, give 0. NaN and ∞ of valid tokens flow.</para>
/// <para>Source: Ring-1T report, arXiv 2510.18855 v2, equation 1 (mean of means); DAPO (arXiv 2503.14476) for the token
/// mean; names as in verl.</para>
/// </remarks>
public static partial class LossAggregation
{
    /// <summary>The coefficient of every token of each row.</summary>
    /// <param name="kind">The aggregation.</param>
    /// <param name="rowCounts">[rollouts], response tokens of each row, read.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <param name="coefficients">[rollouts], float64, written.</param>
    public static void Coefficients(
        LossAggregationKind kind,
        ReadOnlySpan<int> rowCounts,
        LossDenominators denominators,
        Span<double> coefficients)
    {
        for (int row = 0; row < rowCounts.Length; row++)
        {
            coefficients[row] = Coefficient(kind, rowCounts[row], denominators);
        }
    }

    /// <summary>The coefficient of a token in a row of n tokens.</summary>
    /// <param name="kind">The aggregation.</param>
    /// <param name="rowCount">n.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <returns>c; 0 for an empty row where only rows with tokens count.</returns>
    public static double Coefficient(LossAggregationKind kind, int rowCount, LossDenominators denominators) =>
        kind switch
        {
            LossAggregationKind.SequenceMeanTokenMean =>
                1 / (Positive(denominators.Rollouts) * Math.Max(rowCount, 1)),
            LossAggregationKind.SequenceMeanTokenMeanNonEmpty =>
                rowCount > 0 ? 1 / (Positive(denominators.NonEmptyRollouts) * rowCount) : 0,
            LossAggregationKind.TokenMean => 1 / Positive(denominators.Tokens),
            LossAggregationKind.SequenceMeanTokenSum => 1 / Positive(denominators.Rollouts),
            LossAggregationKind.TokenSum => 1,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };

    /// <summary>The loss on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="kind">The aggregation.</param>
    /// <param name="contributions">[rollouts, response], float32, read.</param>
    /// <param name="responseMask">[rollouts, response], read.</param>
    /// <param name="rollouts">B of these rows.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <returns>L.</returns>
    public static float Apply(
        ExecutionEngine engine,
        LossAggregationKind kind,
        ReadOnlySpan<float> contributions,
        ReadOnlySpan<byte> responseMask,
        int rollouts,
        LossDenominators denominators) =>
        engine == ExecutionEngine.Scalar
            ? Scalar(kind, contributions, responseMask, rollouts, denominators)
            : Vectorised(kind, contributions, responseMask, rollouts, denominators);

    /// <summary>The definition.</summary>
    /// <param name="kind">The aggregation.</param>
    /// <param name="contributions">[rollouts, response], float32, read.</param>
    /// <param name="responseMask">[rollouts, response], read.</param>
    /// <param name="rollouts">B of these rows.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <returns>L.</returns>
    public static float Scalar(
        LossAggregationKind kind,
        ReadOnlySpan<float> contributions,
        ReadOnlySpan<byte> responseMask,
        int rollouts,
        LossDenominators denominators)
    {
        float[] terms = new float[rollouts];
        int response = rollouts == 0 ? 0 : contributions.Length / rollouts;
        float[] selected = new float[response];
        for (int row = 0; row < rollouts; row++)
        {
            int count = 0;
            for (int t = 0; t < response; t++)
            {
                bool valid = responseMask[(row * response) + t] != 0;
                selected[t] = valid ? contributions[(row * response) + t] : 0f;
                count += valid ? 1 : 0;
            }

            terms[row] = (float)Coefficient(kind, count, denominators) * Summation.Sum(selected);
        }

        Array.Sort(terms);
        return Summation.Sum(terms);
    }

    private static double Positive(double count) => count > 0 ? count : 1;
}
