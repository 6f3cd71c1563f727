namespace RingFlash.Reference.Operators;

/// <summary>How contributions of tokens become one number. n = response tokens of a row, B = rows, N = Σ n.</summary>
public enum LossAggregationKind
{
    /// <summary>Mean over all rows of the mean over a row's tokens, 1/(B·max(n, 1)); as published.</summary>
    SequenceMeanTokenMean,

    /// <summary>The same over the rows that have tokens, 1/(B⁺·n).</summary>
    SequenceMeanTokenMeanNonEmpty,

    /// <summary>Mean over all tokens of the batch, 1/max(N, 1).</summary>
    TokenMean,

    /// <summary>Mean over rows of the sum over a row's tokens, 1/B.</summary>
    SequenceMeanTokenSum,

    /// <summary>The plain sum.</summary>
    TokenSum,
}
