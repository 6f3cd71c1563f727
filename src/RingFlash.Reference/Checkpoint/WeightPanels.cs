using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Threading;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// A weight W [outputs, inputs] in memory, in the layout that the product kernels read from front to back:
/// [⌈outputs/32⌉, inputs, 32], zero for outputs beyond the matrix. Every number is kept exactly.
/// </summary>
public sealed unsafe class WeightPanels : IDisposable
{
    // Whole rows of the widest matrices: a file then gives 32 of them in one call.
    private const int ChunkColumns = 4096;

    private readonly AlignedBuffer memory;
    private readonly bool ownsMemory;
    private readonly int inputs;
    private readonly int rowBytes;

    private WeightPanels(PanelFormat format, int outputs, int inputs, AlignedBuffer? given)
    {
        Format = format;
        this.inputs = inputs;
        rowBytes = PanelFormats.RowBytes(format);
        PanelCount = CountFor(outputs);
        ownsMemory = given is null;
        memory = given ?? new AlignedBuffer(ByteCountOf(format, outputs, inputs) / sizeof(float));
    }

    /// <summary>Reads a tile and stores it as a panel; see <see cref="IWeightSource.PackPanel"/>.</summary>
    /// <param name="format">How to store.</param>
    /// <param name="firstRow">A multiple of 32.</param>
    /// <param name="firstColumn">A multiple of 128.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="scratch">[columnCount, 32], overwritten.</param>
    /// <param name="panel">[columnCount, 32] in the format, written.</param>
    /// <returns>False when a number has no place in the format.</returns>
    public delegate bool Packer(
        PanelFormat format,
        int firstRow,
        int firstColumn,
        int columnCount,
        Span<float> scratch,
        Span<byte> panel);

    /// <summary>How a weight is stored.</summary>
    public PanelFormat Format { get; }

    /// <summary>⌈outputs/32⌉.</summary>
    public int PanelCount { get; }

    /// <summary>The bytes of memory that the weight takes.</summary>
    public long ByteCount => PanelCount * (long)inputs * rowBytes;

    /// <summary>The panels that cover some outputs.</summary>
    /// <param name="outputs">The number of outputs.</param>
    /// <returns>⌈outputs/32⌉.</returns>
    public static int CountFor(int outputs) => (outputs + ProductKernel.PanelWidth - 1) / ProductKernel.PanelWidth;

    /// <summary>The bytes of memory that a weight will take.</summary>
    /// <param name="format">How it will be stored.</param>
    /// <param name="outputs">The number of rows.</param>
    /// <param name="inputs">The number of columns.</param>
    /// <returns>Bytes.</returns>
    public static long ByteCountOf(PanelFormat format, int outputs, int inputs) =>
        CountFor(outputs) * (long)inputs * PanelFormats.RowBytes(format);

    /// <summary>
    /// Reads a matrix once and keeps it. Each worker reads, and so places in memory, the panels that it will multiply.
    /// </summary>
    /// <param name="format">How to store: the numbers must fit it exactly.</param>
    /// <param name="outputs">The number of rows.</param>
    /// <param name="inputs">The number of columns.</param>
    /// <param name="pack">Where the numbers come from; for e4m3 the bare code values.</param>
    /// <param name="workers">The threads.</param>
    /// <returns>The panels; null when a number has no place in the format (a NaN among e4m3 codes).</returns>
    public static WeightPanels? Read(
        PanelFormat format, int outputs, int inputs, Packer pack, WorkerPool workers) =>
        Read(format, outputs, inputs, pack, workers, null);

    /// <summary>The same into memory that belongs to somebody else.</summary>
    /// <param name="format">How to store: the numbers must fit it exactly.</param>
    /// <param name="outputs">The number of rows.</param>
    /// <param name="inputs">The number of columns.</param>
    /// <param name="pack">Where the numbers come from; for e4m3 the bare code values.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="memory">At least <see cref="ByteCountOf"/> bytes; null to allocate.</param>
    /// <returns>The panels; null when a number has no place in the format (a NaN among e4m3 codes).</returns>
    internal static WeightPanels? Read(
        PanelFormat format, int outputs, int inputs, Packer pack, WorkerPool workers, AlignedBuffer? memory)
    {
        ArgumentNullException.ThrowIfNull(pack);
        ArgumentNullException.ThrowIfNull(workers);
        WeightPanels panels = new(format, outputs, inputs, memory);
        int misfits = 0;
        try
        {
            workers.Run(panels.PanelCount, (first, end, worker) =>
            {
                const int Width = ProductKernel.PanelWidth;
                float* chunk = workers.Scratch(worker).Reserve(Math.Min(ChunkColumns, inputs) * Width);
                for (int panel = first; panel < end; panel++)
                {
                    for (int k = 0; k < inputs; k += ChunkColumns)
                    {
                        int columns = Math.Min(ChunkColumns, inputs - k);
                        Span<float> scratch = new(chunk, columns * Width);
                        Span<byte> stored = new(panels.Pointer(panel, k), columns * panels.rowBytes);
                        if (!pack(format, panel * Width, k, columns, scratch, stored))
                        {
                            Volatile.Write(ref misfits, 1);
                        }
                    }
                }
            });
        }
        catch
        {
            panels.Dispose();
            throw;
        }

        if (misfits == 0)
        {
            return panels;
        }

        panels.Dispose();
        return null;
    }

    /// <summary>Frees the memory, unless it belongs to somebody else.</summary>
    public void Dispose()
    {
        if (ownsMemory)
        {
            memory.Dispose();
        }
    }

    /// <summary>Where a panel's weights from some k on lie.</summary>
    /// <param name="panel">0 … PanelCount − 1.</param>
    /// <param name="k">The first column.</param>
    /// <returns>The address.</returns>
    internal byte* Pointer(int panel, int k) => (byte*)memory.Pointer + (((panel * (long)inputs) + k) * rowBytes);

    /// <summary>Widens part of a panel of e4m3 codes to float32.</summary>
    /// <param name="panel">0 … PanelCount − 1.</param>
    /// <param name="k">A multiple of 128.</param>
    /// <param name="columns">The number of k.</param>
    /// <param name="scales">The scales from the block of k on; empty for bare codes.</param>
    /// <param name="destination">[columns, 32], written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void WidenFloat8(int panel, int k, int columns, ReadOnlySpan<float> scales, float* destination)
    {
        byte* row = Pointer(panel, k);
        for (int block = 0; block * Summation.BlockLength < columns; block++)
        {
            Vector512<float> prepared = PanelFormats.Float8E4M3.Prepare(scales.IsEmpty ? 1f : scales[block]);
            int count = Math.Min(Summation.BlockLength, columns - (block * Summation.BlockLength));
            for (int index = 0; index < count; index++)
            {
                PanelFormats.Float8E4M3.Widen(
                    row, prepared, out Vector512<float> lower, out Vector512<float> upper);
                lower.Store(destination);
                upper.Store(destination + 16);
                row += PanelFormats.Float8E4M3.RowBytes;
                destination += ProductKernel.PanelWidth;
            }
        }
    }
}
