namespace RingFlash.Reference.Comparison;

/// <summary>Which token an element of a tap belongs to.</summary>
/// <param name="Shape">[b, t, …], [n, …] or [b, heads, t, …].</param>
/// <param name="Batch">Sequences.</param>
/// <param name="Tokens">Tokens per sequence.</param>
internal readonly record struct TokenMap(int[] Shape, int Batch, int Tokens)
{
    /// <summary>The number of tokens.</summary>
    public int Count => Batch * Tokens;

    /// <summary>The token of an element.</summary>
    /// <param name="index">Its flat index.</param>
    /// <param name="elements">The number of elements of the tap.</param>
    /// <returns>Row of batch · tokens.</returns>
    public int Of(int index, int elements)
    {
        if (Shape.Length != 4)
        {
            return index / (elements / Count);
        }

        int width = Shape[3];
        return (index / (width * Tokens * Shape[1]) * Tokens) + (index / width % Tokens);
    }
}
