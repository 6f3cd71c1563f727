using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Operators;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Whether noise in the scores explains that somebody chose other experts.</summary>
internal static class RouterNearTie
{
    /// <summary>The router's sizes.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>The sizes.</returns>
    public static RouterShape Shape(ModelConfiguration configuration) => new(
        configuration.ExpertCount,
        configuration.GroupCount,
        configuration.ChosenGroupCount,
        configuration.ExpertsPerToken,
        (float)configuration.RoutedScalingFactor);

    /// <summary>
    /// Our own router chooses the set once its scores are raised, and all others lowered, by the noise: no other change
    /// within the noise favours the set more.
    /// </summary>
    /// <param name="configuration">The model.</param>
    /// <param name="scores">[experts], before the bias.</param>
    /// <param name="bias">[experts].</param>
    /// <param name="experts">The other choice.</param>
    /// <param name="noise">The most that a score moves.</param>
    /// <returns>The answer.</returns>
    public static bool Explains(
        ModelConfiguration configuration,
        IReadOnlyList<float> scores,
        float[] bias,
        IReadOnlySet<int> experts,
        double noise)
    {
        if (experts.Count != configuration.ExpertsPerToken
            || experts.Any(expert => expert < 0 || expert >= configuration.ExpertCount))
        {
            return false;
        }

        RouterShape shape = Shape(configuration);
        float[] moved = [.. scores.Select(
            (score, expert) => (float)(experts.Contains(expert) ? score + noise : score - noise))];
        int[] groups = new int[shape.ChosenGroups], chosen = new int[shape.TopK];
        GroupLimitedTopK.Scalar(shape, moved, bias, groups, chosen);
        return experts.SetEquals(chosen);
    }
}
