using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <content>
/// Several sequences of unequal length in one pass, and the MTP layer by itself: what generation needs.
/// </content>
public sealed partial class RingFlashModel<T>
{
    /// <summary>
    /// Runs the model on new tokens of several sequences at once, each after those in its own cache. Every row gets the
    /// bits that it gets alone: attention goes sequence by sequence, and no other operator knows of other rows.
    /// </summary>
    /// <param name="input">The rows of all sequences, batch 1; neither positions, mask nor labels.</param>
    /// <param name="sequences">Whose rows they are, in order.</param>
    /// <param name="trace">Sees every intermediate result; null for none.</param>
    /// <param name="cancellation">Stops before the next layer; the caches then hold a part of the pass.</param>
    /// <returns>Hidden states and logits; the MTP layer does not run, see <see cref="ForwardMultiToken"/>.</returns>
    public ForwardResult<T> Forward(
        ForwardInput input,
        IReadOnlyList<SequenceRows<T>> sequences,
        ForwardTrace<T>? trace = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(sequences);
        CheckRagged(input, sequences);
        using ArenaScope scope = OpenArena(input, trace);
        return Run(input with { RunMultiToken = false }, BeginRagged(input, sequences, 0, trace, cancellation));
    }

    /// <summary>
    /// Runs the MTP layer alone on rows of several sequences. The caller says the true next token of each row, where
    /// the published code moves the ids itself and shows the last position of every call token 0.
    /// </summary>
    /// <param name="input">The token after each row, batch 1; neither positions, mask nor labels.</param>
    /// <param name="hiddenStates">
    /// [1, rows, hidden]: what the main model gave for each row, or for a draft the layer's own output of the row
    /// before; a copy, because this pass writes over the results of the last.
    /// </param>
    /// <param name="sequences">Whose rows they are; they follow those in the MTP layer's own cache slot.</param>
    /// <returns>The layer's output after its final norm, and the logits of the token after the next.</returns>
    /// <exception cref="InvalidOperationException">The model has no MTP layer.</exception>
    public ForwardResult<T> ForwardMultiToken(
        ForwardInput input, HostTensor<T> hiddenStates, IReadOnlyList<SequenceRows<T>> sequences)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(sequences);
        MultiTokenWeights layer =
            weights.MultiToken ?? throw new InvalidOperationException("the model has no MTP layer");
        CheckRagged(input, sequences);
        using ArenaScope scope = OpenArena(input, null);
        Pass pass = BeginRagged(input, sequences, configuration.LayerCount, null, CancellationToken.None);
        HostTensor<T> output = MultiTokenLayer(input.Ids, hiddenStates, layer, pass); // [1, rows, hidden]
        return new ForwardResult<T>(output, Logits(output, input), null, null);
    }

    private HostTensor<T> AttendEach(
        int index, HostTensor<T> query, HostTensor<T> key, HostTensor<T> value, in Pass pass)
    {
        if (pass.Sequences is [SequenceRows<T> only])
        {
            return Attend(index, query, key, value, only.Cache, pass);
        }

        int width = configuration.QueryWidth, first = 0;
        HostTensor<T> context = operators.Result<T>(1, query.Shape[2], width);
        HostTensor<T> whole = context.Reshape([1, 1, query.Shape[2], width]);
        foreach (SequenceRows<T> sequence in pass.Sequences)
        {
            HostTensor<T> own = Attend(
                index,
                Tokens(query, first, sequence.Tokens),
                Tokens(key, first, sequence.Tokens),
                Tokens(value, first, sequence.Tokens),
                sequence.Cache,
                pass); // [1, the sequence's tokens, q]
            operators.CopyTokens(own.Reshape([1, 1, sequence.Tokens, width]), 0, whole, first, sequence.Tokens);
            first += sequence.Tokens;
        }

        return context;
    }

    private Pass BeginRagged(
        ForwardInput input,
        IReadOnlyList<SequenceRows<T>> sequences,
        int firstLayer,
        ForwardTrace<T>? trace,
        CancellationToken cancellation)
    {
        long[] positions = operators.Result<long>(input.Ids.Length).Values;
        int row = 0;
        foreach (SequenceRows<T> sequence in sequences)
        {
            int past = sequence.Cache.LengthOf(firstLayer);
            sequence.Cache.Reserve(past + sequence.Tokens, operators);
            for (int token = 0; token < sequence.Tokens; token++)
            {
                positions[row++] = past + token;
            }
        }

        return Begin(new Pass(input, null, sequences, trace, [], cancellation), positions);
    }

    private static void CheckRagged(ForwardInput input, IReadOnlyList<SequenceRows<T>> sequences)
    {
        if (input.Batch != 1 || input.Positions is not null || input.AttentionMask is not null
            || input.Labels is not null)
        {
            throw new ArgumentException(
                "rows of several sequences have batch 1 and their own positions", nameof(input));
        }

        int rows = sequences.Sum(sequence => sequence.Tokens);
        if (rows != input.Ids.Length || rows == 0
            || sequences.Any(sequence => sequence.Tokens < 1 || sequence.Cache.Batch != 1)
            || sequences.Select(sequence => sequence.Cache).Distinct().Count() != sequences.Count)
        {
            throw new ArgumentException(
                $"{input.Ids.Length} ids for {sequences.Count} sequences of {rows} rows in all; each needs a row and a "
                + "cache of its own",
                nameof(sequences));
        }
    }

    /// <summary>Some consecutive tokens of every head: [1, heads, count, headDim].</summary>
    private HostTensor<T> Tokens(HostTensor<T> x, int first, int count)
    {
        HostTensor<T> part = operators.Result<T>(1, x.Shape[1], count, x.Width);
        operators.CopyTokens(x, first, part, 0, count);
        return part;
    }
}
