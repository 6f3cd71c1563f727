using System;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Holds a candidate's axes against the reference's; nothing is broadcast.</summary>
internal static class TapShape
{
    /// <summary>Refuses a tap of other axes.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="expected">The reference's axes. Those of length 1 may be left out or put in.</param>
    /// <exception cref="InvalidInputException">They differ; the message has a hint.</exception>
    public static void Check(CandidateTap tap, ReadOnlySpan<int> expected)
    {
        long[] wanted = [.. expected.ToArray().Select(axis => (long)axis)];
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

    // [batch, tokens, width] and [batch · tokens, width] are the same rows.
    private static bool SameRows(CandidateTap tap, long[] wanted) =>
        wanted.Length is 2 or 3
        && tap.Shape.Count is 2 or 3
        && tap.Shape[^1] == wanted[^1]
        && tap.ElementCount == wanted.Aggregate(1L, (product, axis) => product * axis);

    private static string Hint(CandidateTap tap, long[] wanted)
    {
        long count = wanted.Aggregate(1L, (product, axis) => product * axis);
        if (tap.ElementCount == count)
        {
            return ": as many values in other axes; is it transposed or grouped otherwise?";
        }

        if (tap.Shape.Count == wanted.Length)
        {
            int[] differing =
                [.. Enumerable.Range(0, wanted.Length).Where(axis => tap.Shape[axis] != wanted[axis])];
            if (differing.Length == 1)
            {
                int axis = differing[0];
                string what = axis == 0 && wanted.Length == 3 ? "batch" : axis == wanted.Length - 1 ? "width" : "tokens";
                return $": the {what} differs by {tap.Shape[axis] - wanted[axis]}";
            }
        }

        return string.Empty;
    }
}
