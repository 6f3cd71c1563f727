using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The input rows of a product in the order in which <see cref="ProductKernel"/> reads them: tiles of up to twelve
/// rows, each [⌈inputs/128⌉, rows of the tile, 128]. A single row is already in that order and is not copied.
/// </summary>
internal readonly unsafe struct PackedRows
{
    private readonly float* values;
    private readonly float* scales;

    /// <summary>Divides rows into tiles of nearly the same height.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="inputs">The length of a row.</param>
    /// <param name="memory">[<see cref="Length"/>], or the row itself when there is one.</param>
    /// <param name="scales">[<see cref="ScaleLength"/>] for quantised inputs, or null.</param>
    public PackedRows(int count, int inputs, float* memory, float* scales = null)
    {
        Count = count;
        Inputs = inputs;
        TileCount = (count + ProductKernel.MostRows - 1) / ProductKernel.MostRows;
        values = memory;
        this.scales = scales;
    }

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>The length of a row.</summary>
    public int Inputs { get; }

    /// <summary>The number of tiles.</summary>
    public int TileCount { get; }

    /// <summary>Whether the rows are codes with scales.</summary>
    public bool Quantised => scales != null;

    /// <summary>The memory that packed rows take.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="inputs">The length of a row.</param>
    /// <returns>A number of floats.</returns>
    public static long Length(int count, int inputs) => (long)count * BlockCount(inputs) * Summation.BlockLength;

    /// <summary>The memory that packed scales take.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="inputs">The length of a row.</param>
    /// <returns>A number of floats.</returns>
    public static long ScaleLength(int count, int inputs) => (long)count * BlockCount(inputs);

    /// <summary>The first row of a tile.</summary>
    /// <param name="tile">0 … TileCount.</param>
    /// <returns>⌊Count · tile / TileCount⌋.</returns>
    public int FirstRow(int tile) => (int)((long)Count * tile / TileCount);

    /// <summary>A tile from some k on.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="k">A multiple of 128.</param>
    /// <returns>The address.</returns>
    public float* Tile(int tile, int k)
    {
        int first = FirstRow(tile);
        return values + Length(first, Inputs) + ((long)k * (FirstRow(tile + 1) - first));
    }

    /// <summary>The scales of a tile from some k on; null for inputs that are no codes.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="k">A multiple of 128.</param>
    /// <returns>The address.</returns>
    public float* Scales(int tile, int k)
    {
        int first = FirstRow(tile);
        return scales == null
            ? null
            : scales + ScaleLength(first, Inputs) + ((long)k / Summation.BlockLength * (FirstRow(tile + 1) - first));
    }

    /// <summary>Copies a row to its place.</summary>
    /// <param name="row">Which one.</param>
    /// <param name="tile">The tile that it belongs to.</param>
    /// <param name="source">[inputs], read.</param>
    /// <param name="sourceScales">[⌈inputs/128⌉], read for quantised inputs.</param>
    public void Store(int row, int tile, float* source, float* sourceScales = null)
    {
        int first = FirstRow(tile), height = FirstRow(tile + 1) - first;
        float* destination = Tile(tile, 0) + ((row - first) * Summation.BlockLength);
        for (int k = 0; k < Inputs; k += Summation.BlockLength)
        {
            int length = Math.Min(Summation.BlockLength, Inputs - k);
            new ReadOnlySpan<float>(source + k, length).CopyTo(
                new Span<float>(destination + ((long)k * height), length));
        }

        if (Quantised)
        {
            for (int block = 0; block < BlockCount(Inputs); block++)
            {
                Scales(tile, block * Summation.BlockLength)[row - first] = sourceScales[block];
            }
        }
    }

    private static int BlockCount(int inputs) => (inputs + Summation.BlockLength - 1) / Summation.BlockLength;
}
