namespace RingFlash.Reference.Numerics;

/// <summary>What <see cref="ProductKernel"/> multiplies: one tile of rows with some blocks of one panel.</summary>
internal unsafe struct ProductTileArguments
{
    /// <summary>[blocks, rows, 128]: the input rows, packed; of the last block only the columns are read.</summary>
    public float* Input;

    /// <summary>[columns, 32]: the weights of the panel.</summary>
    public byte* Panel;

    /// <summary>The number of k; the first is at a multiple of 128.</summary>
    public int Columns;

    /// <summary>[rows, 32], read and written.</summary>
    public float* Totals;

    /// <summary>
    /// [blocks], the panel's scales: of e4m3 codes, or of the sums when the inputs have scales; null for none.
    /// </summary>
    public float* WeightScales;

    /// <summary>[blocks, rows], the scales of quantised inputs; null for inputs that are no codes.</summary>
    public float* InputScales;
}
