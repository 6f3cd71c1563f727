using System;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>One response through the operators, in any number type on any engine.</summary>
internal static class ObjectiveRow
{
    /// <summary>Fills the row's share of the arrays. Rows know nothing of each other, so they run on any
    /// thread.</summary>
    public static void Evaluate<T, TArithmetic>(
        RolloutArrays<T> batch, PolicyObjectiveOptions options, int row, ObjectiveArrays<T> result)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T>
    {
        int length = batch.ResponseLength, start = row * length;
        ReadOnlySpan<T> current = batch.Current.AsSpan(start, length);
        ReadOnlySpan<T> old = batch.Old.AsSpan(start, length);
        ReadOnlySpan<T> inference = batch.Inference.AsSpan(start, length);
        ReadOnlySpan<byte> mask = batch.ResponseMask.AsSpan(start, length);
        Span<T> logRatios = result.LogRatios.AsSpan(start, length);
        Span<T> weights = result.Weights.AsSpan(start, length);
        Span<T> ratios = result.Ratios.AsSpan(start, length);
        Span<T> contributions = result.Contributions.AsSpan(start, length);
        Span<T> gradients = result.Gradients.AsSpan(start, length);
        Span<TokenDecision> decisions = result.Decisions.AsSpan(start, length);
        Span<byte> clipped = result.Clipped.AsSpan(start, length);

        ReadOnlySpan<T> numerator = options.Numerator == RatioNumerator.CurrentWeights ? current : old;
        CorrectionRow<T> correction = new()
        {
            Training = numerator,
            Inference = inference,
            ResponseMask = mask,
            Advantage = batch.Advantages[row],
            LogRatios = logRatios, // scratch here, overwritten below with what the reader expects
            Ratios = contributions, // scratch
            Weights = weights,
            Decisions = decisions,
            Decision = options.Decision,
        };
        correction.Weigh<TArithmetic>(options.Correction);
        for (int t = 0; t < length; t++)
        {
            logRatios[t] = numerator[t] - inference[t];
            result.KeptCounts[row] += decisions[t] == TokenDecision.Kept ? 1 : 0;
        }

        TArithmetic.Ratio(current, old, options.PolicyLogRatioClamp, ratios);
        PolicyRow<T> policy = new()
        {
            Current = current,
            Old = old,
            ResponseMask = mask,
            Weights = weights,
            LogRatios = logRatios,
            Decisions = decisions,
            Ratios = ratios,
            Contributions = contributions,
            Gradients = gradients,
            Clipped = clipped,
            Advantage = batch.Advantages[row],
        };
        policy.Apply<TArithmetic>(options);
        result.RowSums[row] = TArithmetic.Sum(contributions);
        if (options.KullbackLeiblerCoefficient != 0)
        {
            for (int kind = 0; kind < result.Divergences.Length; kind++)
            {
                Span<T> values = result.Divergences[kind].AsSpan(start, length);
                Span<T> derivatives = result.DivergenceGradients[kind].AsSpan(start, length);
                TArithmetic.Divergence(
                    (KullbackLeiblerKind)kind, current, batch.Reference.AsSpan(start, length), values, derivatives);
                Limit(options, mask, decisions, weights, values);
                Limit(options, mask, decisions, weights, derivatives);
                result.DivergenceRowSums[kind][row] = TArithmetic.Sum(values);
            }
        }
    }

    private static void Limit<T>(
        PolicyObjectiveOptions options,
        ReadOnlySpan<byte> mask,
        ReadOnlySpan<TokenDecision> decisions,
        ReadOnlySpan<T> weights,
        Span<T> values)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        for (int t = 0; t < values.Length; t++)
        {
            if (mask[t] == 0)
            {
                values[t] = T.Zero;
            }
            else if (options.KullbackLeiblerInsideWeight)
            {
                values[t] = decisions[t] == TokenDecision.Kept ? values[t] * weights[t] : T.Zero;
            }
        }
    }
}
