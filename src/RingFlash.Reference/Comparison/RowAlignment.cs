using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Which row of a candidate's tensor is which token of the reference. Real tokens are counted: the k-th token of
/// sequence i that is no padding is the same token on both sides, wherever padding stands; padding itself is compared
/// only where both sides have it in the same places.
/// </summary>
internal sealed class RowAlignment
{
    private readonly ForwardInput input;
    private readonly PaddingSide? padding;
    private readonly long[]? candidateMask;
    private readonly int candidateTokens;

    // For each sequence the places of its real tokens.
    private readonly int[][] real;

    /// <summary>Aligns.</summary>
    /// <param name="input">What the reference is fed.</param>
    /// <param name="padding">The side on which the candidate is said to be padded; null for the reference's.</param>
    /// <param name="candidateMask">The candidate's own mask, [b, tokens]; null when it is not in the dump.</param>
    public RowAlignment(ForwardInput input, PaddingSide? padding, long[]? candidateMask)
    {
        this.input = input;
        this.padding = padding;
        this.candidateMask = candidateMask is { Length: > 0 } && candidateMask.Length % input.Batch == 0
            ? candidateMask
            : null;
        candidateTokens = (this.candidateMask?.Length ?? 0) / input.Batch;
        real = Places(Mask, input.Batch, input.Tokens);
    }

    /// <summary>How many tokens are no padding.</summary>
    public int RealCount => real.Sum(places => places.Length);

    private long[]? Mask =>
        input.AttentionMask is { } mask && mask.Length == input.Batch * input.Tokens ? mask : null;

    /// <summary>Finds the rows of a tensor whose axes are b and t.</summary>
    /// <param name="batch">Its b.</param>
    /// <param name="tokens">Its t.</param>
    /// <param name="choice">Which tokens it is said to hold.</param>
    /// <returns>The rows.</returns>
    public RowMatch OfGrid(long batch, long tokens, TokenChoice choice)
    {
        if (batch != input.Batch)
        {
            return RowMatch.Misfit(string.Create(
                CultureInfo.InvariantCulture,
                $"holds a batch of {batch} where the reference has {input.Batch}: compare the same sequences"));
        }

        if (choice == TokenChoice.Last || (choice == TokenChoice.AllOrLast && tokens == 1 && input.Tokens > 1))
        {
            return tokens == 1 ? Last() : RowMatch.Misfit(string.Create(
                CultureInfo.InvariantCulture,
                $"holds {tokens} tokens where the map says that it holds the last one only"));
        }

        int[][]? theirs = tokens == input.Tokens && padding is null && candidateMask is null ? real : Theirs(tokens);
        if (theirs is null)
        {
            return RowMatch.Misfit(OtherLength(tokens));
        }

        for (int sequence = 0; sequence < real.Length; sequence++)
        {
            if (theirs[sequence].Length != real[sequence].Length)
            {
                return RowMatch.Misfit(string.Create(
                    CultureInfo.InvariantCulture,
                    $"its mask leaves {theirs[sequence].Length} tokens of sequence {sequence} where the reference has "
                    + $"{real[sequence].Length}"));
            }
        }

        bool samePlaces = tokens == input.Tokens
            && Enumerable.Range(0, real.Length).All(sequence => real[sequence].SequenceEqual(theirs[sequence]));
        return samePlaces
            ? RowMatch.All
            : new RowMatch(
                RealRows(),
                [.. theirs.SelectMany((places, sequence) => places.Select(place => (sequence * tokens) + place))],
                null);
    }

    /// <summary>Finds the rows of a tensor in which all tokens lie one after another.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="choice">Which tokens it is said to hold.</param>
    /// <returns>The rows.</returns>
    public RowMatch OfRows(long rows, TokenChoice choice)
    {
        int all = input.Batch * input.Tokens;
        if (choice != TokenChoice.Last && rows == all)
        {
            return OfGrid(input.Batch, input.Tokens, TokenChoice.All);
        }

        if (choice != TokenChoice.Last && rows == RealCount)
        {
            return new RowMatch(RealRows(), GatheredView.Axis(rows, 1), null);
        }

        if (choice != TokenChoice.All && rows == input.Batch)
        {
            return Last();
        }

        string packed = RealCount == all ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $" or {RealCount} without padding");
        string last = choice == TokenChoice.All ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $", or {input.Batch} for the last tokens");
        return RowMatch.Misfit(string.Create(
            CultureInfo.InvariantCulture,
            $"holds {rows} tokens where the reference has {all}{packed}{last}: {Hint(rows - all)}"));
    }

    /// <summary>Leaves padding out of rows that were found.</summary>
    /// <param name="match">The rows.</param>
    /// <returns>Those of real tokens.</returns>
    public RowMatch WithoutPadding(RowMatch match)
    {
        if (match.Rows is not null || RealCount == input.Batch * input.Tokens)
        {
            return match;
        }

        int[] rows = RealRows();
        return new RowMatch(rows, Array.ConvertAll(rows, row => (long)row), null);
    }

    private static int[][] Places(long[]? mask, int batch, int tokens) =>
        [.. Enumerable.Range(0, batch).Select(sequence => Enumerable.Range(0, tokens)
            .Where(token => mask is null || mask[(sequence * tokens) + token] != 0).ToArray())];

    private static string Hint(long difference) => difference switch
    {
        -1 => "one is missing; was the last token cut off, or a first one not added?",
        1 => "one is too many; was a token added at the front or generated at the end?",
        _ => "compare the same token ids",
    };

    // The candidate's places by its own mask, or by the side that was declared.
    private int[][]? Theirs(long tokens)
    {
        if (padding is null)
        {
            return candidateMask is not null && candidateTokens == tokens
                ? Places(candidateMask, input.Batch, candidateTokens)
                : null;
        }

        return real.Max(places => places.Length) > tokens
            ? null
            : [.. real.Select(places => Enumerable
                .Range(padding == PaddingSide.Left ? (int)tokens - places.Length : 0, places.Length).ToArray())];
    }

    private string OtherLength(long tokens) => string.Create(
        CultureInfo.InvariantCulture,
        $"holds {tokens} tokens per sequence where the reference has {input.Tokens}: ")
        + (Math.Abs(tokens - input.Tokens) == 1
            ? Hint(tokens - input.Tokens)
            : tokens > input.Tokens
                ? "if it is padded, say on which side, or dump its attention_mask"
                : Hint(tokens - input.Tokens));

    private RowMatch Last()
    {
        int[] rows = [.. real.Select((places, sequence) =>
            (sequence * input.Tokens) + (places.Length == 0 ? input.Tokens - 1 : places[^1]))];
        return new RowMatch(rows, GatheredView.Axis(rows.Length, 1), null);
    }

    private int[] RealRows() =>
        [.. real.SelectMany((places, sequence) => places.Select(place => (sequence * input.Tokens) + place))];
}

/// <summary>The outcome of an alignment.</summary>
/// <param name="Rows">The rows of the reference that are there; null for all.</param>
/// <param name="Theirs">The candidate's row for each of them; null for the same order.</param>
/// <param name="Problem">Why there is none; null when there is.</param>
internal sealed record RowMatch(IReadOnlyList<int>? Rows, long[]? Theirs, string? Problem)
{
    /// <summary>All rows in order.</summary>
    public static RowMatch All { get; } = new(null, null, null);

    /// <summary>No alignment.</summary>
    /// <param name="problem">Why.</param>
    /// <returns>The outcome.</returns>
    public static RowMatch Misfit(string problem) => new(null, null, problem);
}
