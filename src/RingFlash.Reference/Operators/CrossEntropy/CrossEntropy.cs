using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The causal language-model loss and the loss of the multi-token-prediction head, exactly as published.
/// </summary>
/// <remarks>
/// <para>Maths: loss = mean over positions with a target of −log p(target); targets of −100 do not count.</para>
/// <para>Main loss: position t of a row is scored against label t + 1 of the same row. The published code pads the
/// labels with −100 and shifts the flattened array, which is the same.</para>
/// <para>MTP loss: the labels are rolled left by one (last column −100) and handed to the same function, which shifts
/// once more, so position t is scored against label t + 2.</para>
/// <para>Row-boundary quirk: for MTP the published code flattens batch and time <em>before</em> the second shift. The
/// last position of every row but the last is therefore scored against label 1 of the next row. It is reproduced here;
/// <see cref="MultiTokenTargets"/> says which targets are affected.</para>
/// <para>Axes: logits [batch · tokens, vocabulary]; labels [batch, tokens].</para>
/// <para>Types: float32; the per-position losses are summed in the vector order. Rounding points: none besides.</para>
/// <para>Bound: that of <see cref="LogSoftmax"/> plus (⌈targets/32⌉ + 7)·u relative for the mean.</para>
/// <para>Special: no target at all gives NaN (0/0), as torch does.</para>
/// <para>Errors: a target outside the vocabulary throws <see cref="ArgumentOutOfRangeException"/>.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, BailingMoeV2ForCausalLM.forward and
/// roll_tensor; transformers ForCausalLMLoss (0114da07).</para>
/// </remarks>
public static partial class CrossEntropy
{
    /// <summary>The label that does not count.</summary>
    public const long IgnoreIndex = -100;

    /// <summary>The target of each position for the main head.</summary>
    /// <param name="labels">[batch, tokens], read.</param>
    /// <param name="tokens">The length of a row.</param>
    /// <returns>[batch · tokens].</returns>
    public static long[] MainTargets(ReadOnlySpan<long> labels, int tokens)
    {
        long[] targets = new long[labels.Length];
        for (int position = 0; position < labels.Length; position++)
        {
            targets[position] = position % tokens == tokens - 1 ? IgnoreIndex : labels[position + 1];
        }

        return targets;
    }

    /// <summary>
    /// The target of each position for the first MTP head, row-boundary quirk included: position (b, tokens − 1) gets
    /// label (b + 1, 1) for every row but the last.
    /// </summary>
    /// <param name="labels">[batch, tokens], read.</param>
    /// <param name="tokens">The length of a row.</param>
    /// <returns>[batch · tokens].</returns>
    public static long[] MultiTokenTargets(ReadOnlySpan<long> labels, int tokens)
    {
        long[] rolled = new long[labels.Length];
        for (int position = 0; position < labels.Length; position++)
        {
            rolled[position] = position % tokens == tokens - 1 ? IgnoreIndex : labels[position + 1];
        }

        // The published shift of the flattened array: no look at row borders.
        long[] targets = new long[labels.Length];
        for (int position = 0; position < labels.Length; position++)
        {
            targets[position] = position + 1 < labels.Length ? rolled[position + 1] : IgnoreIndex;
        }

        return targets;
    }

    /// <summary>The mean loss, on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="logits">[positions, vocabulary], float32, read.</param>
    /// <param name="targets">[positions], read.</param>
    /// <returns>Nats.</returns>
    public static float Apply(ExecutionEngine engine, ReadOnlySpan<float> logits, ReadOnlySpan<long> targets)
    {
        int vocabulary = targets.IsEmpty ? 0 : logits.Length / targets.Length;
        List<float> losses = [];
        for (int position = 0; position < targets.Length; position++)
        {
            if (targets[position] != IgnoreIndex)
            {
                losses.Add(-TokenLogProbability.Of(
                    engine, logits.Slice(position * vocabulary, vocabulary), targets[position]));
            }
        }

        ReadOnlySpan<float> values = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(losses);
        float sum = engine == ExecutionEngine.Scalar ? Summation.Sum(values) : Summation.SumVectorised(values);
        return sum / losses.Count;
    }
}
