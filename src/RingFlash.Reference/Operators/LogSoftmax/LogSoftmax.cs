using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Log-probabilities of one row of logits, and the row's log-sum-exp.</summary>
/// <remarks>
/// <para>Maths: m = max_v logits[v]; L = log Σ_v exp(logits[v] − m); logProbabilities[v] = (logits[v] − m) − L;
/// log-sum-exp = m + L.</para>
/// <para>Axes: [vocabulary]; nats.</para>
/// <para>Types: float32 under every policy (logits are widened first, as published). Order: the sum in the vector
/// order.</para>
/// <para>Rounding points: none besides float32 arithmetic. The subtraction of m comes first: logits[v] − (m + L) would
/// round at the size of m.</para>
/// <para>Bound: exp is within 2·u and the sum of positive terms adds (⌈vocabulary/32⌉ + 5)·u; the roundings of d =
/// logits − m are relative in exp(d), on average u·E|d| under the softmax itself. All are absolute in L. The logarithm
/// adds 2·u·L, the two last subtractions u·|d| and u·(|d| + L). E|d| + L is the entropy of the row, at most ln
/// vocabulary. Together |error| ≤ (⌈vocabulary/32⌉ + 7 + ln vocabulary)·u + 2·u·(|logits[v] − m| + L), to first order;
/// the first term is reached only when all roundings agree, measured below 10·u.</para>
/// <para>Special: a NaN or +∞ makes the row NaN; −∞ has probability 0 and log-probability −∞; only −∞ is NaN.</para>
/// <para>Source: torch.nn.functional.cross_entropy over float32 logits, inclusionAI/Ling-V2@af8837e
/// models/modeling_bailing_moe_v2.py, BailingMoeV2ForCausalLM.forward.</para>
/// </remarks>
public static partial class LogSoftmax
{
    /// <summary>The maximum and the logarithm of the shifted sum, on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <returns>m and L; the log-sum-exp is their sum.</returns>
    public static (float Maximum, float LogSum) Normaliser(ExecutionEngine engine, ReadOnlySpan<float> logits) =>
        engine == ExecutionEngine.Scalar ? Scalar(logits) : Vectorised(logits);

    /// <summary>All log-probabilities of a row, on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <param name="logProbabilities">[vocabulary], float32, written; may be logits.</param>
    public static void Apply(ExecutionEngine engine, ReadOnlySpan<float> logits, Span<float> logProbabilities)
    {
        (float maximum, float logSum) = Normaliser(engine, logits);
        int v = 0;
        for (; engine != ExecutionEngine.Scalar && v + 16 <= logits.Length; v += 16)
        {
            Vector512<float> difference = Vector512.Create(logits[v..]) - Vector512.Create(maximum);
            (difference - Vector512.Create(logSum)).CopyTo(logProbabilities[v..]);
        }

        for (; v < logits.Length; v++)
        {
            logProbabilities[v] = logits[v] - maximum - logSum;
        }
    }

    /// <summary>The definition of the normaliser.</summary>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <returns>m and L.</returns>
    public static (float Maximum, float LogSum) Scalar(ReadOnlySpan<float> logits)
    {
        float maximum = Maximum(logits);
        float[] exponentials = new float[logits.Length];
        for (int v = 0; v < logits.Length; v++)
        {
            exponentials[v] = Exponential.Exp(logits[v] - maximum);
        }

        return (maximum, Logarithm.Log(Summation.Sum(exponentials)));
    }

    private static float Maximum(ReadOnlySpan<float> logits)
    {
        float maximum = float.NegativeInfinity;
        foreach (float logit in logits)
        {
            maximum = logit > maximum ? logit : maximum; // a NaN is skipped here and spreads through exp
        }

        return maximum;
    }
}
