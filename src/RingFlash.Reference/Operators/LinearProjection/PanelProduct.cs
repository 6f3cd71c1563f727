using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Products of packed rows with some panels of a weight: the loops around <see cref="ProductKernel"/>, shared by the
/// dense projections and the experts.
/// </summary>
/// <remarks>
/// A panel is used in chunks of 256 k (16 KiB in bfloat16): a chunk stays in the first-level cache while every tile of
/// rows passes over it, and 256 k of 512 rows (512 KiB) stay in the second-level cache while four panels pass over
/// them. While a chunk is used, the next one is fetched, a share by each tile. A single tile goes over a whole panel
/// at once. Neither chunks nor tiles cut a block of 128, so they change no bit.
/// </remarks>
internal static unsafe class PanelProduct
{
    /// <summary>The floats of a chunk of weights that are read as they are used.</summary>
    public const int ChunkLength = ChunkColumns * ProductKernel.PanelWidth;

    private const int ChunkColumns = 256;
    private const int MostRowsTogether = 512;
    private const int PanelsTogether = 4;

    // Up to here the weights, and not the inputs, decide how fast it goes: they are read as one stream.
    private const int RowsOfOneStream = 64;

    /// <summary>How many panels share a pass over the rows.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <returns>1 … 4.</returns>
    public static int GroupSize(int rows) =>
        rows <= RowsOfOneStream ? 1 : Math.Clamp(PanelsTogether * MostRowsTogether / rows, 1, PanelsTogether);

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

        new Span<float>(totals, checked(panels * rows.Count * ProductKernel.PanelWidth)).Clear();
        int step = packed is not null && rows.TileCount == 1 ? rows.Inputs : ChunkColumns;
        for (int k = 0; k < rows.Inputs; k += step)
        {
            int columns = Math.Min(step, rows.Inputs - k);
            for (int index = 0; index < panels; index++)
            {
                float* panelTotals = totals + ((long)index * rows.Count * ProductKernel.PanelWidth);
                if (packed is null)
                {
                    ReadChunk(rows, weight, firstPanel + index, k, columns, chunk);
                    Tiles(
                        rows, PanelFormat.Float32, (byte*)chunk, (byte*)chunk, weight, firstPanel + index, k, columns,
                        panelTotals);
                    continue;
                }

                byte* panel = packed.Pointer(firstPanel + index, k);
                byte* next = rows.TileCount == 1 ? panel + ProductKernel.PrefetchBytes
                    : index + 1 < panels ? packed.Pointer(firstPanel + index + 1, k)
                    : k + step < rows.Inputs ? packed.Pointer(firstPanel, k + step)
                    : packed.Pointer(firstPanel + panels, 0); // the next group; one past the end does no harm
                Tiles(rows, packed.Format, panel, next, weight, firstPanel + index, k, columns, panelTotals);
            }
        }
    }

    private static void Tiles(
        in PackedRows rows,
        PanelFormat format,
        byte* chunk,
        byte* next,
        WeightMatrix weight,
        int panel,
        int k,
        int columns,
        float* totals)
    {
        ReadOnlySpan<float> scales = rows.Quantised || format == PanelFormat.Float8E4M3
            ? ((Float8BlockMatrix)weight).RowScales(panel * ProductKernel.PanelWidth)
            : default;
        fixed (float* scalePointer = scales)
        {
            ProductTileArguments tile = default;
            tile.Panel = chunk;
            tile.Columns = columns;
            tile.WeightScales = scalePointer == null ? null : scalePointer + (k / Summation.BlockLength);
            int rowBytes = WeightPanels.RowBytes(format);
            tile.AheadStep = next == chunk ? 0 : rowBytes / rows.TileCount;
            for (int index = 0; index < rows.TileCount; index++)
            {
                int first = rows.FirstRow(index);
                tile.Input = rows.Tile(index, k);
                tile.InputScales = rows.Scales(index, k);
                tile.Totals = totals + ((long)first * ProductKernel.PanelWidth);
                tile.Ahead = next + ((long)index * columns * tile.AheadStep);
                ProductKernel.Accumulate(format, rows.FirstRow(index + 1) - first, tile);
            }
        }
    }

    private static void ReadChunk(
        in PackedRows rows, WeightMatrix weight, int panel, int k, int columns, float* chunk)
    {
        Span<float> destination = new(chunk, columns * ProductKernel.PanelWidth);
        int firstRow = panel * ProductKernel.PanelWidth;
        if (rows.Quantised)
        {
            ((Float8BlockMatrix)weight).ReadCodePanel(firstRow, k, columns, destination);
        }
        else
        {
            weight.ReadPanel(firstRow, k, columns, destination);
        }
    }
}
