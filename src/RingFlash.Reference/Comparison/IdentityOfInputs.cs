using System;

namespace RingFlash.Reference.Comparison;

/// <summary>Whether both programs were fed the same; without that no number means anything.</summary>
internal static class IdentityOfInputs
{
    /// <summary>Compares token ids, where the candidate says what it was fed.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="candidate">The candidate.</param>
    /// <returns>The difference in words; empty when there is none or nothing is known.</returns>
    public static string Difference(ComparisonReference reference, Candidate candidate) =>
        candidate.Inputs.TryGetValue("input_ids", out CandidateTap? tap)
            ? Difference(tap, reference.Input.Ids, "token ids")
            : string.Empty;

    /// <summary>Compares one input. It was aligned where it could be; another length is not the same.</summary>
    /// <param name="tap">The candidate's.</param>
    /// <param name="ours">[batch · tokens], the reference's.</param>
    /// <param name="what">The input in words, plural.</param>
    /// <returns>The difference in words; empty when there is none.</returns>
    public static string Difference(CandidateTap tap, long[] ours, string what)
    {
        long[] theirs = tap.ReadInt64();
        int expected = tap.Rows?.Count ?? ours.Length;
        if (theirs.Length != expected)
        {
            return FormattableString.Invariant(
                $"{what} differ: {theirs.Length} of them, the reference has {expected}");
        }

        for (int index = 0; index < theirs.Length; index++)
        {
            int row = tap.Rows?[index] ?? index;
            if (theirs[index] != ours[row])
            {
                return FormattableString.Invariant(
                    $"{what} differ: token {row} has {theirs[index]} where the reference has {ours[row]}");
            }
        }

        return string.Empty;
    }
}
