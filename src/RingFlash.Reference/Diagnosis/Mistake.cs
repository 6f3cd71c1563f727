using System;
using System.Collections.Generic;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Diagnosis;

/// <summary>The parts of the model between which a mistake can hide; several for one that acts in several.</summary>
[Flags]
public enum ModelBlocks
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The look-up of token embeddings.</summary>
    Embedding = 1,

    /// <summary>Input norm and attention, up to its output projection.</summary>
    Attention = 2,

    /// <summary>The attention's residual, the second norm, and the dense MLP or the experts.</summary>
    FeedForward = 4,

    /// <summary>The feed-forward block's residual: a layer's output.</summary>
    LayerOutput = 8,

    /// <summary>The final norm.</summary>
    FinalNorm = 16,

    /// <summary>The language-model head.</summary>
    Head = 32,

    /// <summary>The multi-token-prediction layer.</summary>
    MultiToken = 64,

    /// <summary>Every part of a decoder layer.</summary>
    Layer = Attention | FeedForward | LayerOutput,
}

/// <summary>
/// A mistake that ports of this model are known or likely to make: a small variation of the reference with a name.
/// </summary>
/// <param name="Id">Stable, <c>theme.name</c>.</param>
/// <param name="Sentence">What is wrong, in plain words; completes "the reference with …".</param>
/// <param name="Blocks">Where it acts.</param>
/// <param name="Wrong">What it computes.</param>
/// <param name="Right">What is right.</param>
/// <param name="SeenIn">Where it was met; empty for one that is only likely.</param>
public sealed record Mistake(
    string Id, string Sentence, ModelBlocks Blocks, string Wrong, string Right, string SeenIn)
{
    /// <summary>The ways to make it: other values, other places.</summary>
    public required IReadOnlyList<MistakeVariant> Variants { get; init; }

    /// <summary>Whether its twin makes weights anew or runs experts one by one; tried after all others.</summary>
    public bool IsCostly { get; init; }

    /// <summary>
    /// Whether it is a choice of rounding and not an error: such a candidate is told what it does, no more.
    /// </summary>
    public bool IsPrecision { get; init; }
}

/// <summary>One way to make a mistake.</summary>
public sealed class MistakeVariant
{
    /// <summary>Names a way.</summary>
    /// <param name="value">What tells it from the others of the mistake, e.g. <c>1e-5</c>; may be empty.</param>
    /// <param name="apply">Makes the mistake.</param>
    internal MistakeVariant(string value, Func<ModelParts, ModelParts> apply)
    {
        Value = value;
        Apply = apply;
    }

    /// <summary>What tells it from the others of the mistake.</summary>
    public string Value { get; }

    /// <summary>
    /// Makes the mistake. Throws <see cref="Numerics.InvalidInputException"/> when it needs weights that are not there.
    /// </summary>
    internal Func<ModelParts, ModelParts> Apply { get; }
}
