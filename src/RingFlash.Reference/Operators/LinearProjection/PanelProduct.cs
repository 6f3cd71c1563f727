using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Products of packed rows with some panels of a weight: the loops around <see cref="ProductKernel"/>, shared by the
/// dense projections and the experts.
/// </summary>
/// <remarks>
/// A panel is used in chunks of 512 k (32 KiB in bfloat16), which stay in the nearest caches while every tile of rows
/// passes over them; 512 k of 96 rows (192 KiB) stay in the second-level cache while four panels pass over them. A
/// single tile goes over a whole panel at once. Neither chunks nor tiles cut a block of 128, so they change no bit.
/// </remarks>
internal static unsafe class PanelProduct
{
    /// <summary>The floats of a chunk of weights that are read as they are used.</summary>
    public const int ChunkLength = MadeColumns * ProductKernel.PanelWidth;

    /// <summary>Rows whose packed form stays in the second-level cache.</summary>
    public const int MostRowsTogether = 96;

    private const int ChunkColumns = 512;
    private const int MadeColumns = 256; // float32 takes twice the room of bfloat16
    private const int PanelsTogether = 4;

    // Up to here the weights, and not the inputs, decide how fast it goes: they are read as one stream.
    private const int RowsOfOneStream = 64;

    /// <summary>How many panels share a pass over the rows.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <returns>1 … 4.</returns>
    public static int GroupSize(int rows) => rows is <= RowsOfOneStream or > 2 * MostRowsTogether ? 1 : PanelsTogether;

    /// <summary>Memory for the sums of <see cref="Multiply"/>.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <returns>A number of floats.</returns>
    public static long TotalsLength(int rows) => (long)GroupSize(rows) * rows * ProductKernel.PanelWidth;

    /// <summary>Multiplies all rows with a few panels.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="firstPanel">The first panel.</param>
    /// <param name="panels">How many, at most <see cref="GroupSize"/>.</param>
    /// <param name="totals">[panels, rows, 32], written.</param>
    /// <param name="chunk">[<see cref="ChunkLength"/>], scratch for weights that are not in memory.</param>
    public static void Multiply(
        in PackedRows rows, WeightMatrix weight, int firstPanel, int panels, float* totals, float* chunk)
    {
        WeightPanels? packed = weight.Panels;
        if (rows.Quantised && packed?.Format != PanelFormat.Float8E4M3)
        {
            packed = null; // float32 panels hold products with the scales; here bare codes are wanted
        }

        // Weights in memory are multiplied as they lie; e4m3 codes only by one tile, for several they are widened once.
        bool inPlace = packed is not null && (packed.Format != PanelFormat.Float8E4M3 || rows.TileCount == 1);
        int step = !inPlace ? MadeColumns : rows.TileCount == 1 ? rows.Inputs : ChunkColumns;
        new Span<float>(totals, checked(panels * rows.Count * ProductKernel.PanelWidth)).Clear();
        for (int k = 0; k < rows.Inputs; k += step)
        {
            int columns = Math.Min(step, rows.Inputs - k);
            for (int index = 0; index < panels; index++)
            {
                int panel = firstPanel + index;
                if (!inPlace)
                {
                    MakeChunk(rows, weight, packed, panel, k, columns, chunk);
                }

                Tiles(
                    rows,
                    inPlace ? packed!.Format : PanelFormat.Float32,
                    inPlace ? packed!.Pointer(panel, k) : (byte*)chunk,
                    Scales(weight, panel, k),
                    k,
                    columns,
                    totals + ((long)index * rows.Count * ProductKernel.PanelWidth));
            }
        }
    }

    private static void Tiles(
        in PackedRows rows,
        PanelFormat format,
        byte* chunk,
        ReadOnlySpan<float> weightScales,
        int k,
        int columns,
        float* totals)
    {
        fixed (float* scalePointer = weightScales)
        {
            ProductTileArguments tile = default;
            tile.Panel = chunk;
            tile.Columns = columns;
            tile.WeightScales = scalePointer;
            for (int index = 0; index < rows.TileCount; index++)
            {
                int first = rows.FirstRow(index);
                tile.Input = rows.Tile(index, k);
                tile.InputScales = rows.Scales(index, k);
                tile.Totals = totals + ((long)first * ProductKernel.PanelWidth);
                ProductKernel.Accumulate(format, rows.FirstRow(index + 1) - first, tile);
            }
        }
    }

    private static void MakeChunk(
        in PackedRows rows, WeightMatrix weight, WeightPanels? packed, int panel, int k, int columns, float* chunk)
    {
        Span<float> destination = new(chunk, columns * ProductKernel.PanelWidth);
        int firstRow = panel * ProductKernel.PanelWidth;
        if (packed is not null)
        {
            packed.WidenFloat8(panel, k, columns, rows.Quantised ? [] : Scales(weight, panel, k), chunk);
        }
        else if (rows.Quantised)
        {
            ((Float8BlockMatrix)weight).ReadCodePanel(firstRow, k, columns, destination);
        }
        else
        {
            weight.ReadPanel(firstRow, k, columns, destination);
        }
    }

    /// <summary>The scales of a panel from some k on; empty for weights without.</summary>
    private static ReadOnlySpan<float> Scales(WeightMatrix weight, int panel, int k) =>
        weight is Float8BlockMatrix blocks
            ? blocks.RowScales(panel * ProductKernel.PanelWidth)[(k / Summation.BlockLength)..]
            : [];
}
