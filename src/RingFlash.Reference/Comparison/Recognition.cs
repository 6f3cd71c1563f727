using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>Says what wrong values look like, before any theory of how they came about.</summary>
internal static class Recognition
{
    /// <summary>What is wrong with values whatever they are compared with.</summary>
    /// <param name="item">The tap.</param>
    /// <returns>In words; empty for nothing.</returns>
    public static string Alone(TapItem item)
    {
        float[] values = item.Candidate;
        int bad = Array.FindIndex(values, value => !float.IsFinite(value));
        if (bad >= 0)
        {
            int count = values.Count(value => !float.IsFinite(value));
            string place = TapComparison.Place([.. item.Map.Shape.Select(axis => (long)axis)], bad);
            return count == values.Length
                ? "nothing but NaN and infinity"
                : $"{count} values are NaN or infinite, the first at {place}";
        }

        return values.Length < 2 || values.Any(value => value != values[0]) ? string.Empty
            : values[0] == 0 ? "all zero"
            : string.Create(CultureInfo.InvariantCulture, $"constant {values[0]:G6}");
    }

    /// <summary>What wrong values are of the right ones.</summary>
    /// <param name="item">The tap.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="tolerance">How near a guess must come, relative to the right values.</param>
    /// <returns>In words; empty for nothing.</returns>
    public static string OfTheReference(TapItem item, int headDim, double tolerance)
    {
        float[] theirs = item.Candidate, right = item.Reference;
        double scale = Dot(theirs, right) / Dot(right, right);
        if (double.IsFinite(scale)
            && scale != 0
            && Distance(theirs, index => (float)(scale * right[index])) <= tolerance)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the reference's values times {scale:G6}");
        }

        int tokens = item.Map.Tokens, width = right.Length / item.Map.Count;
        if (item.Map.Shape.Length != 4)
        {
            foreach (int shift in new[] { 1, -1 })
            {
                if (tokens > 2 && IsShifted(item, shift, width, tolerance))
                {
                    return $"the reference's values {Math.Abs(shift)} token {(shift > 0 ? "late" : "early")}";
                }
            }

            if (Distance(theirs, Transposed) <= tolerance)
            {
                return "the reference's values with tokens and channels transposed";
            }
        }

        return PermutedHeads(item, headDim, tolerance);

        float Transposed(int index)
        {
            int sequence = index / (tokens * width), rest = index % (tokens * width);
            return right[(sequence * tokens * width) + (rest % tokens * width) + (rest / tokens)];
        }
    }

    private static bool IsShifted(TapItem item, int shift, int width, double tolerance)
    {
        double error = 0, norm = 0;
        for (int row = 0; row < item.Map.Count; row++)
        {
            int position = row % item.Map.Tokens, source = position - shift;
            if (source < 0 || source >= item.Map.Tokens)
            {
                continue;
            }

            for (int channel = 0; channel < width; channel++)
            {
                double value = item.Reference[((row - shift) * width) + channel];
                double difference = item.Candidate[(row * width) + channel] - value;
                error += difference * difference;
                norm += value * value;
            }
        }

        return Math.Sqrt(error / norm) <= tolerance;
    }

    private static string PermutedHeads(TapItem item, int headDim, double tolerance)
    {
        bool byRow = item.Map.Shape.Length == 4;
        int width = item.Map.Shape[^1], heads = byRow ? item.Map.Shape[1] : width / headDim;
        bool isOfHeads = item.Name.Contains(".attention.", StringComparison.Ordinal)
            && !item.Name.EndsWith("dense.output", StringComparison.Ordinal)
            && !item.Name.EndsWith(".weights", StringComparison.Ordinal);
        if (!isOfHeads || heads < 2)
        {
            return string.Empty;
        }

        int[] found = [.. Enumerable.Range(0, heads).Select(head => Enumerable.Range(0, heads)
            .Where(other => Distance(item.Candidate, item.Reference, Elements(head), Elements(other)) <= tolerance)
            .DefaultIfEmpty(-1)
            .First())];
        return found.Contains(-1) || found.Select((other, head) => other == head).All(same => same)
            ? string.Empty
            : $"the reference's heads in the order {string.Join(' ', found)}";

        IEnumerable<int> Elements(int head)
        {
            int size = byRow ? item.Map.Tokens * width : headDim;
            int step = byRow ? heads * size : width;
            for (int start = head * size; start < item.Reference.Length; start += step)
            {
                for (int index = start; index < start + size; index++)
                {
                    yield return index;
                }
            }
        }
    }

    private static double Distance(
        float[] theirs, float[] right, IEnumerable<int> theirElements, IEnumerable<int> rightElements)
    {
        double error = 0, norm = 0;
        foreach ((int a, int b) in theirElements.Zip(rightElements))
        {
            double difference = (double)theirs[a] - right[b];
            error += difference * difference;
            norm += (double)right[b] * right[b];
        }

        return Math.Sqrt(error / norm);
    }

    private static double Distance(float[] theirs, Func<int, float> right)
    {
        double error = 0, norm = 0;
        for (int index = 0; index < theirs.Length; index++)
        {
            double value = right(index), difference = theirs[index] - value;
            error += difference * difference;
            norm += value * value;
        }

        return Math.Sqrt(error / norm);
    }

    private static double Dot(float[] a, float[] b)
    {
        double sum = 0;
        for (int index = 0; index < a.Length; index++)
        {
            sum += (double)a[index] * b[index];
        }

        return sum;
    }
}
