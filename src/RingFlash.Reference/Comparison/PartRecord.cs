using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>What one part of a run showed: taps and choices in the order of computation.</summary>
internal abstract record PartItem(string Name);

/// <summary>A tap that the candidate has too.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Map">Axes and tokens.</param>
/// <param name="Reference">The reference's values.</param>
/// <param name="Candidate">The candidate's; the reference's where it has none.</param>
/// <param name="Tap">The candidate's tap.</param>
internal sealed record TapItem(
    string Name, TokenMap Map, float[] Reference, float[] Candidate, CandidateTap Tap) : PartItem(Name)
{
    /// <summary>Per legal variant: how far it is from the reference.</summary>
    public List<TokenErrors> Variants { get; } = [];

    /// <summary>Per legal variant: how far the candidate is from it.</summary>
    public List<TokenErrors> FromVariants { get; } = [];
}

/// <summary>A choice of experts.</summary>
/// <param name="Name">The gate's name.</param>
/// <param name="Indices">[tokens · topK], the reference's own.</param>
/// <param name="Margins">[tokens].</param>
/// <param name="Scores">[tokens, experts].</param>
internal sealed record ChoiceItem(string Name, int[] Indices, float[] Margins, float[] Scores) : PartItem(Name)
{
    /// <summary>Per token, the largest difference of a score among legal variants.</summary>
    public double[] Noise { get; } = new double[Margins.Length];

    /// <summary>Per token, whether a legal variant chose other experts.</summary>
    public bool[] Undecided { get; } = new bool[Margins.Length];
}

/// <summary>Keeps what a part of the reference's run shows.</summary>
internal sealed class ReferenceTrace(ComparisonReference reference, Candidate candidate, bool isFree)
    : ForwardTrace<float>
{
    private readonly HashSet<string> seen = new(StringComparer.Ordinal);
    private float[] scores = [];

    /// <summary>The items since <see cref="Begin"/>.</summary>
    public List<PartItem> Items { get; } = [];

    /// <summary>Starts a part.</summary>
    public void Begin() => Items.Clear();

    /// <inheritdoc/>
    public override bool Wants(string name) => candidate.Taps.ContainsKey(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (name.EndsWith(".gate.scores", StringComparison.Ordinal))
        {
            scores = [.. tensor.Values];
        }

        // The rotary tables come with every layer.
        if (candidate.Taps.TryGetValue(name, out CandidateTap? tap) && seen.Add(name))
        {
            HostTensor<float> theirs = new(tensor.Shape), stored = new(tensor.Shape);
            tensor.Span.CopyTo(theirs.Span);
            tensor.Span.CopyTo(stored.Span);
            TapShape.ReadInto(tap, theirs, reference.Input.Tokens);
            if (isFree && reference.Taps.TryGetValue(name, out CandidateTap? golden))
            {
                TapShape.ReadInto(golden, stored, reference.Input.Tokens);
            }

            TokenMap map = new(tensor.Shape.ToArray(), reference.Input.Batch, reference.Input.Tokens);
            Items.Add(new TapItem(name, map, stored.Values, theirs.Values, tap));
        }
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        Items.Add(new ChoiceItem(name, [.. decision.TopKIndices], [.. decision.Margins.Values], scores));
    }
}

/// <summary>Measures how far a legal variant is from what the reference's run showed of the same part.</summary>
internal sealed class VariantTrace(ComparisonReference reference, Action<string, HostTensor<float>>? onTap)
    : ForwardTrace<float>
{
    private readonly Dictionary<string, PartItem> items = new(StringComparer.Ordinal);
    private float[] scores = [];

    /// <summary>Starts a part.</summary>
    /// <param name="part">What the reference's run showed.</param>
    public void Begin(IEnumerable<PartItem> part)
    {
        items.Clear();
        foreach (PartItem item in part)
        {
            items.Add(item.Name, item);
        }
    }

    /// <inheritdoc/>
    public override bool Wants(string name) => items.ContainsKey(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        onTap?.Invoke(name, tensor);
        if (name.EndsWith(".gate.scores", StringComparison.Ordinal))
        {
            scores = [.. tensor.Values];
        }

        if (items.GetValueOrDefault(name) is TapItem item)
        {
            item.Variants.Add(TokenErrors.Between(tensor.Span, item.Reference, item.Map));
            item.FromVariants.Add(TokenErrors.Between(tensor.Span, item.Candidate, item.Map));
        }
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        if (items.GetValueOrDefault(name) is not ChoiceItem item)
        {
            return;
        }

        int experts = reference.Configuration.ExpertCount, topK = decision.TopK;
        for (int index = 0; index < scores.Length; index++)
        {
            ref double noise = ref item.Noise[index / experts];
            noise = Math.Max(noise, Math.Abs((double)scores[index] - item.Scores[index]));
        }

        for (int token = 0; token < item.Margins.Length; token++)
        {
            item.Undecided[token] |= !RouterChoice.SameSet(
                decision.TopKIndices.AsSpan(token * topK, topK), item.Indices.AsSpan(token * topK, topK));
        }
    }
}
