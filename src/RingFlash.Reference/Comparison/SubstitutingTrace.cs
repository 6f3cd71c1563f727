using System;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Puts another program's values in the place of those that a pass computes, wherever it has them: the next operator
/// then starts from them. An inner trace is shown what was computed before that happens.
/// </summary>
/// <remarks>
/// Weights are shown and replaced in the other program's order of experts, and for its experts: where it chose the same
/// set, the weights are the operator's own; where it chose others, they follow from the scores by the published rule.
/// So a wrong choice and wrong weights are two findings, not one.
/// </remarks>
internal sealed class SubstitutingTrace : ForwardTrace<float>
{
    private readonly Candidate candidate;
    private readonly RouterShape shape;
    private readonly int tokens;
    private readonly ForwardTrace<float> inner;
    private HostTensor<float>? scores;

    /// <summary>Chooses whose values.</summary>
    /// <param name="candidate">The other program; with no taps the pass runs free.</param>
    /// <param name="shape">The router.</param>
    /// <param name="tokens">Tokens per sequence.</param>
    /// <param name="inner">Is shown what was computed. It must not keep the tensors: they are written over.</param>
    public SubstitutingTrace(Candidate candidate, RouterShape shape, int tokens, ForwardTrace<float> inner)
    {
        this.candidate = candidate;
        this.shape = shape;
        this.tokens = tokens;
        this.inner = inner;
    }

    /// <inheritdoc/>
    public override bool Wants(string name) => inner.Wants(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        inner.Tap(name, tensor);
        if (candidate.Taps.TryGetValue(name, out CandidateTap? tap))
        {
            TapShape.ReadInto(tap, tensor, tokens);
        }

        if (name.EndsWith(".gate.scores", StringComparison.Ordinal))
        {
            scores = tensor;
        }
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        inner.TapDecision(name, decision);
        if (!candidate.Taps.TryGetValue($"{name}.topk_idx", out CandidateTap? choice))
        {
            return; // weights without the experts that they belong to say nothing
        }

        int[] indices = RouterChoice.Read(choice, decision.TopKWeights.Rows, shape);
        float[] weights = new float[indices.Length];
        for (int token = 0; token < decision.TopKWeights.Rows; token++)
        {
            int first = token * shape.TopK;
            Span<int> theirs = indices.AsSpan(first, shape.TopK);
            ReadOnlySpan<int> ours = decision.TopKIndices.AsSpan(first, shape.TopK);
            if (theirs.Contains(-1))
            {
                ours.CopyTo(theirs);
            }

            if (RouterChoice.SameSet(ours, theirs))
            {
                for (int slot = 0; slot < shape.TopK; slot++)
                {
                    weights[first + slot] = decision.TopKWeights.Values[first + ours.IndexOf(theirs[slot])];
                }
            }
            else
            {
                GroupLimitedTopK.Weigh(shape, scores!.Row(token), theirs, weights.AsSpan(first, shape.TopK));
            }
        }

        indices.CopyTo(decision.TopKIndices, 0);
        weights.CopyTo(decision.TopKWeights.Values, 0);
        Tap($"{name}.topk_weight", decision.TopKWeights);
    }
}
