using System;
using System.Numerics;

namespace RingFlash.Reference.Objective;

/// <summary>The checked arrays of a batch in one number type.</summary>
internal sealed class RolloutArrays<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    public RolloutArrays(
        int rollouts,
        int responseLength,
        T[] currentLogProbabilities,
        T[] oldLogProbabilities,
        T[] inferenceLogProbabilities,
        T[] advantages,
        byte[] responseMask,
        T[]? referenceLogProbabilities)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rollouts);
        ArgumentOutOfRangeException.ThrowIfNegative(responseLength);
        long tokens = (long)rollouts * responseLength;
        if (tokens > Array.MaxLength)
        {
            throw new ArgumentException($"{rollouts} rollouts of {responseLength} tokens are too many for one batch.");
        }

        Current = Require(currentLogProbabilities, tokens, nameof(currentLogProbabilities));
        Old = Require(oldLogProbabilities, tokens, nameof(oldLogProbabilities));
        Inference = Require(inferenceLogProbabilities, tokens, nameof(inferenceLogProbabilities));
        ResponseMask = Require(responseMask, tokens, nameof(responseMask));
        Advantages = Require(advantages, rollouts, nameof(advantages));
        Reference = referenceLogProbabilities is null
            ? null
            : Require(referenceLogProbabilities, tokens, nameof(referenceLogProbabilities));
        Rollouts = rollouts;
        ResponseLength = responseLength;
        RowCounts = new int[rollouts];
        for (int row = 0; row < rollouts; row++)
        {
            if (!T.IsFinite(advantages[row]))
            {
                throw new ArgumentException(
                    $"The advantage of rollout {row} is {advantages[row]}; advantages must be finite.",
                    nameof(advantages));
            }

            foreach (byte flag in responseMask.AsSpan(row * responseLength, responseLength))
            {
                if (flag > 1)
                {
                    throw new ArgumentException(
                        $"The mask of rollout {row} holds {flag}; it must be 0 or 1.", nameof(responseMask));
                }

                RowCounts[row] += flag;
            }
        }
    }

    public int Rollouts { get; }

    public int ResponseLength { get; }

    public T[] Current { get; }

    public T[] Old { get; }

    public T[] Inference { get; }

    public T[]? Reference { get; }

    public T[] Advantages { get; }

    public byte[] ResponseMask { get; }

    public int[] RowCounts { get; }

    private static TItem[] Require<TItem>(TItem[] values, long length, string name)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        return values.Length == length
            ? values
            : throw new ArgumentException($"{name} has {values.Length} elements, the batch needs {length}.", name);
    }
}

/// <summary>From packed rows to padded ones.</summary>
internal static class PackedRows
{
    /// <summary>Checks the offsets and gives the longest row.</summary>
    public static int Check(int[] offsets, int tokens)
    {
        ArgumentNullException.ThrowIfNull(offsets);
        if (offsets.Length == 0 || offsets[0] != 0 || offsets[^1] != tokens)
        {
            throw new ArgumentException($"Offsets must run from 0 to the {tokens} tokens.", nameof(offsets));
        }

        int longest = 0;
        for (int row = 0; row + 1 < offsets.Length; row++)
        {
            if (offsets[row + 1] < offsets[row])
            {
                throw new ArgumentException($"Offset {row + 1} is below the one before it.", nameof(offsets));
            }

            longest = Math.Max(longest, offsets[row + 1] - offsets[row]);
        }

        return longest;
    }

    public static byte[] Ones(int length)
    {
        byte[] ones = new byte[length];
        Array.Fill(ones, (byte)1);
        return ones;
    }

    public static TItem[] Pad<TItem>(int[] offsets, int longest, TItem[] values, string name)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        if (values.Length != offsets[^1])
        {
            throw new ArgumentException($"{name} has {values.Length} elements, the offsets say {offsets[^1]}.", name);
        }

        TItem[] padded = new TItem[checked((offsets.Length - 1) * longest)];
        for (int row = 0; row + 1 < offsets.Length; row++)
        {
            values.AsSpan(offsets[row]..offsets[row + 1]).CopyTo(padded.AsSpan(row * longest));
        }

        return padded;
    }
}
