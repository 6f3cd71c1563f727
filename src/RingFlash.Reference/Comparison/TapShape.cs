using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Holds a candidate's axes against the reference's, and its rows; nothing is broadcast.</summary>
internal static class TapShape
{
    /// <summary>Refuses a tap of other axes.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="expected">The reference's axes. Those of length 1 may be left out or put in.</param>
    /// <exception cref="InvalidInputException">They differ; the message has a hint.</exception>
    public static void Check(CandidateTap tap, ReadOnlySpan<int> expected)
    {
        long[] wanted = Wanted(tap, expected);
        if (tap.Shape.Where(axis => axis != 1).SequenceEqual(wanted.Where(axis => axis != 1))
            || SameRows(tap, wanted))
        {
            return;
        }

        throw new InvalidInputException(
            tap.Source,
            tap.Name,
            $"shape {TensorInfo.FormatShape(tap.Shape)}; the reference has {TensorInfo.FormatShape(wanted)}"
                + Hint(tap, wanted));
    }

    /// <summary>Reads a candidate's values over computed ones; rows that the candidate lacks stay.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="tensor">[b, t, …], [n, …] or [b, heads, t, …] of the reference.</param>
    /// <param name="tokens">Tokens per sequence.</param>
    public static void ReadInto(CandidateTap tap, HostTensor<float> tensor, int tokens)
    {
        Check(tap, tensor.Shape);
        if (tap.Rows is null)
        {
            tap.ReadSingle(0, tensor.Span);
            return;
        }

        int width = tensor.Width, heads = Heads(tensor.Shape);
        for (int head = 0; head < heads; head++)
        {
            for (int index = 0; index < tap.Rows.Count; index++)
            {
                int row = tap.Rows[index], sequence = row / tokens;
                int target = heads == 1 ? row : (((sequence * heads) + head) * tokens) + (row % tokens);
                tap.ReadSingle((((long)head * tap.Rows.Count) + index) * width, tensor.Row(target));
            }
        }
    }

    /// <summary>Which tokens of a tap a candidate has.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="count">batch · tokens.</param>
    /// <returns>One flag per token.</returns>
    public static bool[] Present(CandidateTap tap, int count)
    {
        bool[] present = new bool[count];
        foreach (int row in tap.Rows ?? Enumerable.Range(0, count))
        {
            present[row] = true;
        }

        return present;
    }

    private static int Heads(ReadOnlySpan<int> shape) => shape.Length == 4 ? shape[1] : 1;

    private static long[] Wanted(CandidateTap tap, ReadOnlySpan<int> expected)
    {
        long[] wanted = [.. expected.ToArray().Select(axis => (long)axis)];
        if (tap.Rows is { } rows)
        {
            int axis = wanted.Length == 4 ? 2 : wanted.Length - 2;
            wanted[axis] = rows.Count;
            if (axis > 0)
            {
                wanted[0] = 1;
            }
        }

        return wanted;
    }

    // [batch, tokens, width] and [batch · tokens, width] are the same rows.
    private static bool SameRows(CandidateTap tap, long[] wanted) =>
        wanted.Length is 2 or 3
        && tap.Shape.Count is 2 or 3
        && tap.Shape[^1] == wanted[^1]
        && tap.ElementCount == Count(wanted)
        && (tap.Shape.Count != wanted.Length || wanted.Length == 2);

    private static string Hint(CandidateTap tap, long[] wanted)
    {
        if (tap.ElementCount == Count(wanted))
        {
            return ": as many values in other axes; is it transposed or grouped otherwise?";
        }

        int[] differing = tap.Shape.Count != wanted.Length
            ? []
            : [.. Enumerable.Range(0, wanted.Length).Where(axis => tap.Shape[axis] != wanted[axis])];
        if (differing is [int only])
        {
            string what = only == wanted.Length - 1 ? "width"
                : only == 0 && wanted.Length > 2 ? "batch"
                : "number of tokens";
            long more = tap.Shape[only] - wanted[only];
            return $": the {what} is {Math.Abs(more)} too {(more > 0 ? "large" : "small")}";
        }

        return string.Empty;
    }

    private static long Count(IEnumerable<long> shape) => shape.Aggregate(1L, (product, axis) => product * axis);
}
