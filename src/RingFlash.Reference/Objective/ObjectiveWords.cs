using System;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>The words of case files, options and reports for aggregations and estimators.</summary>
public static class ObjectiveWords
{
    /// <summary>All five aggregations in the order of the case files.</summary>
    public static ReadOnlySpan<LossAggregationKind> Aggregations =>
    [
        LossAggregationKind.SequenceMeanTokenMean,
        LossAggregationKind.SequenceMeanTokenMeanNonEmpty,
        LossAggregationKind.TokenMean,
        LossAggregationKind.SequenceMeanTokenSum,
        LossAggregationKind.TokenSum,
    ];

    /// <summary>The aggregation of a word.</summary>
    /// <param name="word">The word.</param>
    /// <returns>The aggregation; null for any other word.</returns>
    public static LossAggregationKind? Aggregation(string word)
    {
        foreach (LossAggregationKind kind in Aggregations)
        {
            if (kind.Word() == word)
            {
                return kind;
            }
        }

        return null;
    }

    /// <summary>The word for an aggregation.</summary>
    /// <param name="kind">The aggregation.</param>
    /// <returns>The word.</returns>
    public static string Word(this LossAggregationKind kind) => kind switch
    {
        LossAggregationKind.SequenceMeanTokenMean => "seq_mean_token_mean",
        LossAggregationKind.SequenceMeanTokenMeanNonEmpty => "seq_mean_token_mean_nonempty",
        LossAggregationKind.TokenMean => "token_mean",
        LossAggregationKind.SequenceMeanTokenSum => "seq_mean_token_sum",
        LossAggregationKind.TokenSum => "token_sum",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The word for an estimator.</summary>
    /// <param name="kind">The estimator.</param>
    /// <returns>k1, k2 or k3.</returns>
    public static string Word(this KullbackLeiblerKind kind) => kind switch
    {
        KullbackLeiblerKind.K1 => "k1",
        KullbackLeiblerKind.K2 => "k2",
        KullbackLeiblerKind.K3 => "k3",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
