using System;

namespace RingFlash.Reference.Comparison;

/// <summary>Whether both programs were fed the same; without that no number means anything.</summary>
internal static class IdentityOfInputs
{
    /// <summary>Compares token ids, where the candidate says what it was fed.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="candidate">The candidate.</param>
    /// <returns>The difference in words; empty when there is none or nothing is known.</returns>
    public static string Difference(ComparisonReference reference, Candidate candidate)
    {
        if (!candidate.Inputs.TryGetValue("input_ids", out CandidateTap? tap))
        {
            return string.Empty;
        }

        long[] theirs = tap.ReadInt64(), ours = reference.Input.Ids;
        for (int index = 0; index < theirs.Length; index++)
        {
            int row = tap.Rows?[index] ?? index;
            if (row < ours.Length && theirs[index] != ours[row])
            {
                return $"token ids differ: token {row} is {theirs[index]}, the reference has {ours[row]}";
            }
        }

        return (tap.Rows?.Count ?? ours.Length) == theirs.Length
            ? string.Empty
            : $"token ids differ: {theirs.Length} of them, the reference has {ours.Length}";
    }
}
