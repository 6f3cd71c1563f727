using System;
using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>Which experts a router chose for each token, in each layer.</summary>
/// <param name="Layers">Layers with a router, at least 1.</param>
/// <param name="TopK">Experts per token, at least 1.</param>
/// <param name="Experts">[rollouts, response, layers, topK], int64; −1 where the engine did not tell.</param>
public sealed record RoutedExpertChoices(int Layers, int TopK, long[] Experts)
{
    /// <summary>The number that stands for "not told".</summary>
    public const long Missing = -1;
}

/// <summary>One engine's log-probabilities of the sampled tokens.</summary>
/// <param name="Source">Where they are from, for messages.</param>
/// <param name="Rollouts">Rows.</param>
/// <param name="ResponseLength">Columns.</param>
/// <param name="LogProbabilities">[rollouts, response], float64; anything where the mask is 0.</param>
/// <param name="Mask">[rollouts, response]; null when the source has none.</param>
/// <param name="RoutedExperts">The router's choices; null when the source has none.</param>
/// <param name="Warnings">What the reader noticed.</param>
public sealed record LogProbabilityData(
    string Source,
    int Rollouts,
    int ResponseLength,
    double[] LogProbabilities,
    bool[]? Mask,
    RoutedExpertChoices? RoutedExperts,
    IReadOnlyList<string> Warnings)
{
    /// <summary>The shape as text, e.g. <c>[8, 1024]</c>.</summary>
    public string ShapeText => TensorInfo.FormatShape([Rollouts, ResponseLength]);

    internal InvalidInputException Refuse(string place, string rule) => new(Source, place, rule);
}
