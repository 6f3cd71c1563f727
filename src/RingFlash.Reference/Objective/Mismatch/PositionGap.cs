using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>The gap within a range of positions of the response.</summary>
/// <param name="First">The first position, from 1.</param>
/// <param name="Last">The last one.</param>
/// <param name="Tokens">Compared tokens there; a range without any is left out.</param>
/// <param name="MeanAbsolute">Their mean |Δ|.</param>
/// <param name="LargestAbsolute">Their max |Δ|.</param>
/// <param name="Mean">Their mean Δ; a bias to one side shows here.</param>
public sealed record PositionGap(
    int First, int Last, int Tokens, double MeanAbsolute, double LargestAbsolute, double Mean)
{
    internal static IReadOnlyList<PositionGap> Measure(MismatchInput input, int bins)
    {
        // A position is a column of the file: a hole in the mask, such as a tool's output, keeps its place.
        int length = input.Train.ResponseLength;
        int width = (length + bins - 1) / bins;
        int count = (length + width - 1) / width;
        int[] tokens = new int[count];
        double[] absolute = new double[count], largest = new double[count], signed = new double[count];
        for (int index = 0; index < input.Delta.Length; index++)
        {
            int bin = input.Positions[index] / width;
            double delta = input.Delta[index];
            tokens[bin]++;
            absolute[bin] += Math.Abs(delta);
            largest[bin] = Math.Max(largest[bin], Math.Abs(delta));
            signed[bin] += delta;
        }

        List<PositionGap> gaps = [];
        for (int bin = 0; bin < count; bin++)
        {
            if (tokens[bin] > 0)
            {
                gaps.Add(new(
                    (bin * width) + 1,
                    Math.Min((bin + 1) * width, length),
                    tokens[bin],
                    absolute[bin] / tokens[bin],
                    largest[bin],
                    signed[bin] / tokens[bin]));
            }
        }

        return gaps;
    }
}
