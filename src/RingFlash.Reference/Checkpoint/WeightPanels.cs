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
    private const int ChunkColumns = 256;

    private readonly AlignedBuffer memory;
    private readonly int inputs;
    private readonly int rowBytes;

    private WeightPanels(PanelFormat format, int outputs, int inputs)
    {
        Format = format;
        this.inputs = inputs;
        rowBytes = RowBytes(format);
        PanelCount = CountFor(outputs);
        memory = new AlignedBuffer(PanelCount * (long)inputs * rowBytes / sizeof(float));
    }

    /// <summary>Reads a tile as float32; see <see cref="IWeightSource.ReadPanel"/>.</summary>
    /// <param name="firstRow">A multiple of 32.</param>
    /// <param name="firstColumn">A multiple of 128.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="panel">[columnCount, 32], written.</param>
    public delegate void Reader(int firstRow, int firstColumn, int columnCount, Span<float> panel);

    /// <summary>How a weight is stored.</summary>
    public PanelFormat Format { get; }

    /// <summary>⌈outputs/32⌉.</summary>
    public int PanelCount { get; }

    /// <summary>The bytes of memory that the weight takes.</summary>
    public long ByteCount => memory.Length * sizeof(float);

    /// <summary>The panels that cover some outputs.</summary>
    /// <param name="outputs">The number of outputs.</param>
    /// <returns>⌈outputs/32⌉.</returns>
    public static int CountFor(int outputs) => (outputs + ProductKernel.PanelWidth - 1) / ProductKernel.PanelWidth;

    /// <summary>
    /// Reads a matrix once and keeps it. Each worker reads, and so places in memory, the panels that it will multiply.
    /// </summary>
    /// <param name="format">How to store: the numbers must fit it exactly.</param>
    /// <param name="outputs">The number of rows.</param>
    /// <param name="inputs">The number of columns.</param>
    /// <param name="reader">Where the numbers come from; for e4m3 the bare code values.</param>
    /// <param name="workers">The threads.</param>
    /// <returns>The panels; null when a number has no place in the format (a NaN among e4m3 codes).</returns>
    public static WeightPanels? Read(PanelFormat format, int outputs, int inputs, Reader reader, WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(workers);
        WeightPanels panels = new(format, outputs, inputs);
        int misfits = 0;
        try
        {
            workers.Run(panels.PanelCount, (first, end, worker) =>
            {
                const int Width = ProductKernel.PanelWidth;
                float* chunk = workers.Scratch(worker).Reserve(ChunkColumns * Width);
                for (int panel = first; panel < end; panel++)
                {
                    for (int k = 0; k < inputs; k += ChunkColumns)
                    {
                        int columns = Math.Min(ChunkColumns, inputs - k);
                        reader(panel * Width, k, columns, new Span<float>(chunk, columns * Width));
                        if (!Store(format, chunk, columns, panels.Pointer(panel, k)))
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

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();

    /// <summary>Where a panel's weights from some k on lie.</summary>
    /// <param name="panel">0 … PanelCount − 1.</param>
    /// <param name="k">The first column.</param>
    /// <returns>The address.</returns>
    internal byte* Pointer(int panel, int k) => (byte*)memory.Pointer + (((panel * (long)inputs) + k) * rowBytes);

    /// <summary>The bytes of 32 weights.</summary>
    /// <param name="format">How they are stored.</param>
    /// <returns>32, 64 or 128.</returns>
    internal static int RowBytes(PanelFormat format) => format switch
    {
        PanelFormat.Float32 => PanelFormats.Float32.RowBytes,
        PanelFormat.BFloat16 => PanelFormats.BFloat16.RowBytes,
        _ => PanelFormats.Float8E4M3.RowBytes,
    };

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

    // Lanes: a vector is sixteen outputs of one k. Nothing is left over: a panel is 32 wide.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Store(PanelFormat format, float* chunk, int columns, byte* destination)
    {
        if (format == PanelFormat.Float32)
        {
            new ReadOnlySpan<float>(chunk, columns * ProductKernel.PanelWidth).CopyTo(
                new Span<float>(destination, columns * ProductKernel.PanelWidth));
            return true;
        }

        Vector512<int> allNumbers = Vector512<int>.AllBitsSet;
        for (int k = 0; k < columns; k++)
        {
            Vector512<float> lower = Vector512.Load(chunk), upper = Vector512.Load(chunk + 16);
            chunk += ProductKernel.PanelWidth;
            if (format == PanelFormat.BFloat16)
            {
                PanelFormats.BFloat16.Store(lower, upper, destination);
                destination += PanelFormats.BFloat16.RowBytes;
            }
            else
            {
                allNumbers &= Vector512.Equals(lower, lower).AsInt32() & Vector512.Equals(upper, upper).AsInt32();
                PanelFormats.Float8E4M3.Store(lower, upper, destination);
                destination += PanelFormats.Float8E4M3.RowBytes;
            }
        }

        return allNumbers == Vector512<int>.AllBitsSet;
    }
}
