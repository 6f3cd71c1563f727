using System;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>A weight in a device's memory, in the smallest format that holds its numbers exactly.</summary>
public sealed class DeviceWeight : IDisposable
{
    /// <summary>The words that are made and copied at a time: 16 MiB.</summary>
    private const long ChunkWords = 4 << 20;

    private readonly MemoryBuffer1D<uint, Stride1D.Dense> words;
    private readonly MemoryBuffer1D<float, Stride1D.Dense>? scales;

    private DeviceWeight(KernelHost host, WeightMatrix matrix, PanelFormat format)
    {
        Format = format;
        int perWord = 1 << ShiftOf(format);
        int pitch = ((((matrix.Inputs + perWord - 1) / perWord) + 3) / 4) * 4; // rows start on a multiple of 16 bytes
        words = host.Accelerator.Allocate1D<uint>((long)matrix.Outputs * pitch);
        ArrayView<float> scaleView = default;
        if (format == PanelFormat.Float8E4M3)
        {
            Float8BlockMatrix blocks = (Float8BlockMatrix)matrix;
            int columns = blocks.RowScales(0).Length;
            int rows = (matrix.Outputs + Summation.BlockLength - 1) / Summation.BlockLength;
            float[] values = new float[rows * columns];
            for (int row = 0; row < rows; row++)
            {
                blocks.RowScales(row * Summation.BlockLength).CopyTo(values.AsSpan(row * columns));
            }

            scales = host.Accelerator.Allocate1D(values);
            scaleView = scales.View.BaseView;
        }

        Matrix = new DeviceMatrix(words.View.BaseView, scaleView, matrix.Outputs, matrix.Inputs, pitch);
    }

    /// <summary>The numbers, for kernels.</summary>
    public DeviceMatrix Matrix { get; }

    /// <summary>How they lie.</summary>
    public PanelFormat Format { get; }

    /// <summary>The bytes that an upload takes on the device.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <returns>The bytes, in its smallest format.</returns>
    public static long BytesOf(WeightMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        int perWord = 1 << ShiftOf(FormatOf(matrix));
        return (long)matrix.Outputs * (((((matrix.Inputs + perWord - 1) / perWord) + 3) / 4) * 16L);
    }

    /// <summary>Reads a matrix and brings it to a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="workers">The threads that read.</param>
    /// <returns>The weight, owned by the caller.</returns>
    public static DeviceWeight Upload(KernelHost host, WeightMatrix matrix, WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(matrix);
        ArgumentNullException.ThrowIfNull(workers);
        DeviceWeight weight = new(host, matrix, FormatOf(matrix));
        if (!weight.Fill(matrix, workers))
        {
            // A matrix that promised bfloat16 numbers and has others: they are held in full.
            weight.Dispose();
            weight = new DeviceWeight(host, matrix, PanelFormat.Float32);
            weight.Fill(matrix, workers);
        }

        return weight;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        words.Dispose();
        scales?.Dispose();
    }

    private static PanelFormat FormatOf(WeightMatrix matrix) => matrix switch
    {
        Float8BlockMatrix => PanelFormat.Float8E4M3,
        _ => matrix.SmallestFormat,
    };

    private static int ShiftOf(PanelFormat format) => format switch
    {
        PanelFormat.Float32 => Float32Format.Shift,
        PanelFormat.BFloat16 => BFloat16Format.Shift,
        PanelFormat.Float8E4M3 => Float8Format.Shift,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Writes all rows.</summary>
    /// <returns>Whether every number fitted the format.</returns>
    private bool Fill(WeightMatrix matrix, WorkerPool workers)
    {
        int pitch = Matrix.Pitch, rowsAtOnce = (int)Math.Clamp(ChunkWords / pitch, 1, matrix.Outputs);
        uint[] chunk = new uint[rowsAtOnce * pitch];
        bool fits = true;
        for (int first = 0; first < matrix.Outputs && fits; first += rowsAtOnce)
        {
            int count = Math.Min(rowsAtOnce, matrix.Outputs - first), firstRow = first;
            workers.Run(count, (start, end, _) =>
            {
                float[] values = new float[matrix.Inputs];
                for (int row = start; row < end; row++)
                {
                    if (!Encode(matrix, firstRow + row, values, chunk.AsSpan(row * pitch, pitch)))
                    {
                        fits = false;
                    }
                }
            });
            words.View.SubView((long)first * pitch, (long)count * pitch).CopyFromCPU(ref chunk[0], (long)count * pitch);
        }

        return fits;
    }

    private bool Encode(WeightMatrix matrix, int row, float[] values, Span<uint> to)
    {
        if (Format == PanelFormat.Float8E4M3)
        {
            ((Float8BlockMatrix)matrix).ReadCodeRow(row, values);
        }
        else
        {
            matrix.ReadRow(row, values);
        }

        to.Clear();
        bool fits = true;
        for (int k = 0; k < values.Length; k++)
        {
            switch (Format)
            {
                case PanelFormat.Float32:
                    to[k] = BitConverter.SingleToUInt32Bits(values[k]);
                    break;
                case PanelFormat.BFloat16:
                    uint bits = BitConverter.SingleToUInt32Bits(values[k]);
                    fits &= (bits & 0xFFFF) == 0;
                    to[k >> 1] |= (bits >> 16) << ((k & 1) * 16);
                    break;
                default:
                    to[k >> 2] |= (uint)Float8E4M3.FromSingle(values[k]) << ((k & 3) * 8);
                    break;
            }
        }

        return fits;
    }
}
