using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The log-probability of one given token per row of logits.</summary>
/// <remarks>
/// <para>Maths: y[t] = (z[t, token[t]] − m) − L with z = logits / T and the m and L of <see cref="LogSoftmax"/> over
/// z[t]; T is the sampling temperature, 1 where not given. Derivative: dy[t]/dlogits[t, v] = (1[v = token[t]] − p[t,
/// v]) / T with p = softmax(z).</para>
/// <para>Axes: logits [tokens, vocabulary]; tokens, y [tokens]; nats.</para>
/// <para>Types, order, special values: <see cref="LogSoftmax"/>. Rounding points: none besides float32
/// arithmetic.</para>
/// <para>Bound: for T = 1 that of <see cref="LogSoftmax"/>, as y[t] is one of its entries, bit for bit; another T
/// rounds every z once, which adds u·(|z[token]| + Σ_v p[v]·|z[v]|). Derivative: p is within (2·|z − m| +
/// ⌈vocabulary/32⌉ + 9)·u relative, and 1 − p, the product and the quotient round once each.</para>
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

    /// <summary>Picks log-probabilities at a temperature; one row of scratch, whatever the number of tokens.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Apply(
        ExecutionEngine engine,
        ReadOnlySpan<float> logits,
        ReadOnlySpan<long> tokens,
        float temperature,
        Span<float> y)
    {
        RequireTemperature(temperature);
        if (temperature == 1f)
        {
            Apply(engine, logits, tokens, y); // x / 1 is x, so this only saves time
            return;
        }

        int vocabulary = tokens.IsEmpty ? 0 : logits.Length / tokens.Length;
        float[] row = new float[vocabulary];
        for (int t = 0; t < tokens.Length; t++)
        {
            Scale(engine, logits.Slice(t * vocabulary, vocabulary), temperature, row);
            y[t] = Of(engine, row, tokens[t]);
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

    private static void RequireTemperature(double temperature)
    {
        if (!(temperature > 0 && double.IsFinite(temperature)))
        {
            throw new ArgumentOutOfRangeException(
                nameof(temperature), temperature, "The temperature must be finite and above 0.");
        }
    }

    private static void Scale(ExecutionEngine engine, ReadOnlySpan<float> logits, float temperature, Span<float> z)
    {
        int v = 0;
        Vector512<float> divisor = Vector512.Create(temperature);
        for (; engine == ExecutionEngine.Vector512 && v + 16 <= logits.Length; v += 16)
        {
            (Vector512.Create(logits[v..]) / divisor).CopyTo(z[v..]);
        }

        for (; v < logits.Length; v++)
        {
            z[v] = logits[v] / temperature;
        }
    }
}
