using System.Collections.Generic;

namespace RingFlash.Cli.ServerCheck;

/// <summary>What our model computed for some sequences under one way of rounding.</summary>
/// <param name="Name">The way, e.g. <c>bfloat16</c>.</param>
/// <param name="Sequences">What it computed.</param>
internal sealed record ReferenceRun(string Name, IReadOnlyList<ReferenceSequence> Sequences);

/// <summary>What our model computed for one sequence.</summary>
/// <param name="Ids">[tokens].</param>
/// <param name="LogProbabilities">[tokens][vocabulary]: at index t those of the token after t.</param>
/// <param name="Routing">[tokens][layers]; null for dense layers.</param>
internal sealed record ReferenceSequence(
    IReadOnlyList<int> Ids, float[][] LogProbabilities, RoutedToken?[][] Routing);

/// <summary>A token in the router of a layer.</summary>
/// <param name="Experts">What our router chooses, best first.</param>
/// <param name="Used">What was computed with: the same, or what <see cref="RoutingReplay"/> says.</param>
/// <param name="Scores">[experts], before the bias.</param>
/// <param name="Margin">How far away another choice is; see GroupLimitedTopK.</param>
internal sealed record RoutedToken(int[] Experts, int[] Used, float[] Scores, float Margin);

/// <summary>Our model's runs, and which of them is the one that the others are measured by.</summary>
/// <param name="Precision">The word of <c>--precision</c>.</param>
/// <param name="Centre">The run with the least rounding.</param>
/// <param name="Legal">The runs that round as a server of this precision may.</param>
internal sealed record ReferenceRuns(string Precision, ReferenceRun Centre, IReadOnlyList<ReferenceRun> Legal)
{
    /// <summary>[layers][experts], the router's bias; null for dense layers.</summary>
    public required IReadOnlyList<float[]?> ExpertBias { get; init; }

    /// <summary>
    /// All runs whose bits a server may have: the legal ones and, where it is float32, the centre.
    /// </summary>
    public IReadOnlyList<ReferenceRun> Candidates => Centre.Name == "float32" ? [.. Legal, Centre] : Legal;
}
