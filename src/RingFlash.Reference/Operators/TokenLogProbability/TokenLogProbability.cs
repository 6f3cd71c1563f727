using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The log-probability of one given token per row of logits.</summary>
/// <remarks>
/// <para>Maths: y[t] = (logits[t, token[t]] − m) − L with the row's m and L of <see cref="LogSoftmax"/>.</para>
/// <para>Axes: logits [tokens, vocabulary]; tokens, y [tokens]; nats.</para>
/// <para>Types, order, special values: <see cref="LogSoftmax"/>. Rounding points: none besides float32
/// arithmetic.</para>
/// <para>Bound: that of <see cref="LogSoftmax"/>, as y[t] is one of its entries, bit for bit.</para>
/// <para>Errors: a token outside the vocabulary throws <see cref="ArgumentOutOfRangeException"/>.</para>
/// <para>Source: torch log_softmax and gather, as RL frameworks compute it from float32 logits.</para>
/// </remarks>
public static partial class TokenLogProbability
{
    /// <summary>Picks log-probabilities, on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Apply(
        ExecutionEngine engine, ReadOnlySpan<float> logits, ReadOnlySpan<long> tokens, Span<float> y)
    {
        int vocabulary = tokens.IsEmpty ? 0 : logits.Length / tokens.Length;
        for (int t = 0; t < tokens.Length; t++)
        {
            y[t] = Of(engine, logits.Slice(t * vocabulary, vocabulary), tokens[t]);
        }
    }

    /// <summary>The log-probability of one token in one row.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <param name="token">The token.</param>
    /// <returns>Nats, at most 0 up to rounding.</returns>
    public static float Of(ExecutionEngine engine, ReadOnlySpan<float> logits, long token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, logits.Length);
        (float maximum, float logSum) = LogSoftmax.Normaliser(engine, logits);
        return logits[(int)token] - maximum - logSum;
    }
}
