using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class TokenLogProbability
{
    /// <summary>
    /// dL/dlogits = upstream[t] · (1[v = token] − p[t, v]) / T, row by row in the caller's buffer, which may be the
    /// logits themselves: each row is scaled, exponentiated, summed and turned into its gradient in place, so nothing
    /// of the size of the logits, not even a row, is allocated. A row whose upstream is 0 gets exact zeros and its
    /// logits are not looked at.
    /// </summary>
    /// <param name="engine">Who computes; all engines give the same bits.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="upstream">[tokens], float32, read: the gradient with respect to the log-probabilities.</param>
    /// <param name="gradient">[tokens, vocabulary], float32, written; may be logits.</param>
    public static void Backward(
        ExecutionEngine engine,
        ReadOnlySpan<float> logits,
        ReadOnlySpan<long> tokens,
        float temperature,
        ReadOnlySpan<float> upstream,
        Span<float> gradient)
    {
        RequireTemperature(temperature);
        int vocabulary = tokens.IsEmpty ? 0 : logits.Length / tokens.Length;
        for (int t = 0; t < tokens.Length; t++)
        {
            Span<float> row = gradient.Slice(t * vocabulary, vocabulary);
            BackwardRow(
                engine, logits.Slice(t * vocabulary, vocabulary), tokens[t], temperature, upstream[t], row);
        }
    }

    /// <summary>The same with rows shared out to threads; no bit depends on their number.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="upstream">[tokens], float32, read.</param>
    /// <param name="gradient">[tokens, vocabulary], float32, written; may be logits.</param>
    /// <param name="workers">The threads.</param>
    public static void Backward(
        ExecutionEngine engine,
        ReadOnlyMemory<float> logits,
        ReadOnlyMemory<long> tokens,
        float temperature,
        ReadOnlyMemory<float> upstream,
        Memory<float> gradient,
        WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(workers);
        int vocabulary = tokens.IsEmpty ? 0 : logits.Length / tokens.Length;
        workers.Run(tokens.Length, (first, end, _) => Backward(
            engine,
            logits.Span[(first * vocabulary)..(end * vocabulary)],
            tokens.Span[first..end],
            temperature,
            upstream.Span[first..end],
            gradient.Span[(first * vocabulary)..(end * vocabulary)]));
    }

    private static void BackwardRow(
        ExecutionEngine engine,
        ReadOnlySpan<float> logits,
        long token,
        float temperature,
        float upstream,
        Span<float> row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, logits.Length);
        if (upstream == 0f)
        {
            row.Clear();
            return;
        }

        Scale(engine, logits, temperature, row);
        float maximum = float.NegativeInfinity;
        foreach (float z in row)
        {
            maximum = z > maximum ? z : maximum; // a NaN is skipped here and spreads through exp
        }

        bool vectors = engine == ExecutionEngine.Vector512;
        Vector512<float> shift = Vector512.Create(maximum);
        int v = 0;
        for (; vectors && v + 16 <= row.Length; v += 16)
        {
            Exponential.Exp(Vector512.Create<float>(row[v..]) - shift).CopyTo(row[v..]);
        }

        for (; v < row.Length; v++)
        {
            row[v] = Exponential.Exp(row[v] - maximum);
        }

        float sum = vectors ? Summation.SumVectorised(row) : Summation.Sum(row);
        float own = row[(int)token] / sum;
        Vector512<float> sums = Vector512.Create(sum), factors = Vector512.Create(-upstream);
        Vector512<float> temperatures = Vector512.Create(temperature);
        for (v = 0; vectors && v + 16 <= row.Length; v += 16)
        {
            (factors * (Vector512.Create<float>(row[v..]) / sums) / temperatures).CopyTo(row[v..]);
        }

        for (; v < row.Length; v++)
        {
            row[v] = -upstream * (row[v] / sum) / temperature;
        }

        row[(int)token] = upstream * (1f - own) / temperature;
    }
}
