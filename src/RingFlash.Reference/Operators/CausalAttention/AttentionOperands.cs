using System;

namespace RingFlash.Reference.Operators;

/// <summary>The arrays of one attention call as pointers, and where things lie in them.</summary>
/// <param name="Shape">The sizes.</param>
/// <param name="Query">[batch, heads, tokens, headDim].</param>
/// <param name="Keys">[batch, keyValueHeads, capacity, headDim].</param>
/// <param name="Values">[batch, keyValueHeads, capacity, headDim].</param>
/// <param name="Visible">[batch, past + tokens]; or null for no padding.</param>
/// <param name="Context">[batch, tokens, heads · headDim].</param>
/// <param name="Weights">[batch, heads, tokens, past + tokens]; or null when not wanted.</param>
internal readonly unsafe record struct AttentionOperands(
    AttentionShape Shape, nint Query, nint Keys, nint Values, nint Visible, nint Context, nint Weights)
{
    /// <summary>One query.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The query head.</param>
    /// <param name="token">The token.</param>
    /// <returns>[headDim].</returns>
    public float* QueryRow(int sequence, int head, int token) =>
        (float*)Query + (Row(sequence, head, token) * Shape.HeadDim);

    /// <summary>The keys of one key/value head of one sequence.</summary>
    /// <param name="cacheHead">sequence · keyValueHeads + head.</param>
    /// <returns>[capacity, headDim].</returns>
    public float* HeadKeys(int cacheHead) => (float*)Keys + ((long)cacheHead * Shape.CacheCapacity * Shape.HeadDim);

    /// <summary>The values of one key/value head of one sequence.</summary>
    /// <param name="cacheHead">sequence · keyValueHeads + head.</param>
    /// <returns>[capacity, headDim].</returns>
    public float* HeadValues(int cacheHead) => (float*)Values + ((long)cacheHead * Shape.CacheCapacity * Shape.HeadDim);

    /// <summary>The result for one query.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The query head.</param>
    /// <param name="token">The token.</param>
    /// <returns>[headDim].</returns>
    public Span<float> ContextRow(int sequence, int head, int token)
    {
        long row = ((((long)sequence * Shape.QueryTokens) + token) * Shape.Heads) + head;
        return new((float*)Context + (row * Shape.HeadDim), Shape.HeadDim);
    }

    /// <summary>The attention weights of one query; only when they are wanted.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The query head.</param>
    /// <param name="token">The token.</param>
    /// <returns>[past + tokens].</returns>
    public Span<float> WeightRow(int sequence, int head, int token) =>
        new((float*)Weights + (Row(sequence, head, token) * Shape.KeyTokens), Shape.KeyTokens);

    /// <summary>The visibility of the keys of one sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>[past + tokens], 0 for padding; or empty when there is none.</returns>
    public ReadOnlySpan<byte> VisibleKeys(int sequence) =>
        Visible == 0 ? [] : new((byte*)Visible + ((long)sequence * Shape.KeyTokens), Shape.KeyTokens);

    /// <summary>The first key of a sequence that is no padding; past + tokens when all are.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>Its index.</returns>
    public int FirstVisible(int sequence)
    {
        if (Visible == 0)
        {
            return 0;
        }

        int first = VisibleKeys(sequence).IndexOfAnyExcept((byte)0);
        return first < 0 ? Shape.KeyTokens : first;
    }

    private long Row(int sequence, int head, int token) =>
        ((((long)sequence * Shape.Heads) + head) * Shape.QueryTokens) + token;
}
