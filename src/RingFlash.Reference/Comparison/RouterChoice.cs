using System;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Comparison;

/// <summary>A candidate's chosen experts.</summary>
internal static class RouterChoice
{
    /// <summary>The router of a model.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>Sizes and factor.</returns>
    public static RouterShape ShapeOf(ModelConfiguration configuration) => new(
        configuration.ExpertCount,
        configuration.GroupCount,
        configuration.ChosenGroupCount,
        configuration.ExpertsPerToken,
        (float)configuration.RoutedScalingFactor);

    /// <summary>Reads and checks a choice.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="tokens">The number of tokens of the reference.</param>
    /// <param name="shape">The router.</param>
    /// <returns>[tokens · topK]; −1 for a token that the candidate lacks.</returns>
    /// <exception cref="InvalidInputException">Wrong axes, or a number that is no expert.</exception>
    public static int[] Read(CandidateTap tap, int tokens, RouterShape shape)
    {
        TapShape.Check(tap, [tokens, shape.TopK]);
        long[] read = tap.ReadInt64();
        int[] indices = new int[tokens * shape.TopK];
        Array.Fill(indices, -1);
        for (int index = 0; index < read.Length; index++)
        {
            int row = index / shape.TopK;
            if (read[index] < 0 || read[index] >= shape.Experts)
            {
                throw new InvalidInputException(
                    tap.Source,
                    tap.Name,
                    $"{read[index]} in row {row}; an expert is one of 0 … {shape.Experts - 1}");
            }

            indices[((tap.Rows?[row] ?? row) * shape.TopK) + (index % shape.TopK)] = (int)read[index];
        }

        return indices;
    }

    /// <summary>Whether two choices are the same experts, in whatever order.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether.</returns>
    public static bool SameSet(ReadOnlySpan<int> left, ReadOnlySpan<int> right)
    {
        foreach (int expert in left)
        {
            if (!right.Contains(expert))
            {
                return false;
            }
        }

        foreach (int expert in right)
        {
            if (!left.Contains(expert))
            {
                return false;
            }
        }

        return true;
    }
}
