using System;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// Matrices of one shape in a device's memory, in the smallest format that holds their numbers exactly: one matrix, or
/// the experts of a layer, each in a slot.
/// </summary>
public sealed class DeviceWeight : IDisposable
{
    /// <summary>The words that are made and copied at a time: 16 MiB.</summary>
    private const long ChunkWords = 4 << 20;

    private readonly KernelHost host;
    private readonly MemoryBuffer1D<uint, Stride1D.Dense> words;
    private readonly MemoryBuffer1D<float, Stride1D.Dense>? scales;
    private readonly int scaleCount;

    private DeviceWeight(KernelHost host, WeightMatrix shape, PanelFormat format, int slots)
    {
        this.host = host;
        Format = format;
        int pitch = PitchOf(shape, format);
        words = host.Accelerator.Allocate1D<uint>((long)slots * shape.Outputs * pitch);
        if (format == PanelFormat.Float8E4M3)
        {
            scaleCount = BlocksOf(shape.Outputs) * BlocksOf(shape.Inputs);
            scales = host.Accelerator.Allocate1D<float>((long)slots * scaleCount);
        }

        Matrix = new DeviceMatrix(
            words.View.BaseView, scales is null ? default : scales.View.BaseView, shape.Outputs, shape.Inputs, pitch);
    }

    /// <summary>The numbers, for kernels: those of the first slot, the others behind them.</summary>
    public DeviceMatrix Matrix { get; }

    /// <summary>How they lie.</summary>
    public PanelFormat Format { get; }

    /// <summary>The bytes on the device.</summary>
    public long Bytes => (words.Length * sizeof(uint)) + ((scales?.Length ?? 0) * sizeof(float));

    /// <summary>The bytes that one matrix takes on a device.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <returns>The bytes, in the format that it promises.</returns>
    public static long BytesOf(WeightMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        PanelFormat format = FormatOf(matrix);
        long scaleBytes = format == PanelFormat.Float8E4M3
            ? (long)BlocksOf(matrix.Outputs) * BlocksOf(matrix.Inputs) * sizeof(float)
            : 0;
        return ((long)matrix.Outputs * PitchOf(matrix, format) * sizeof(uint)) + scaleBytes;
    }

    /// <summary>Reads a matrix and brings it to a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="workers">The threads that read.</param>
    /// <returns>The weight, owned by the caller.</returns>
    public static DeviceWeight Upload(KernelHost host, WeightMatrix matrix, WorkerPool workers)
    {
        DeviceWeight weight = Allocate(host, matrix, 1);
        if (!weight.Fill(0, matrix, workers))
        {
            weight.Dispose();
            weight = Allocate(host, matrix, 1, PanelFormat.Float32);
            weight.Fill(0, matrix, workers);
        }

        return weight;
    }

    /// <summary>Room for matrices.</summary>
    /// <param name="host">The device.</param>
    /// <param name="shape">One of them.</param>
    /// <param name="slots">How many.</param>
    /// <param name="format">How they lie; the smallest that the one promises, if it is not said.</param>
    /// <returns>The room, owned by the caller.</returns>
    public static DeviceWeight Allocate(
        KernelHost host, WeightMatrix shape, int slots, PanelFormat? format = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(shape);
        return new DeviceWeight(host, shape, format ?? FormatOf(shape), slots);
    }

    /// <summary>Reads a matrix and brings it to a slot.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="workers">The threads that read.</param>
    /// <returns>
    /// Whether every number fitted the format: a matrix may promise bfloat16 numbers and have others, and is then to be
    /// held in full.
    /// </returns>
    public bool Fill(int slot, WeightMatrix matrix, WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        ArgumentNullException.ThrowIfNull(workers);
        if (matrix is SyntheticFloat8Matrix || (host.IsCuda && matrix.Sequence is not null))
        {
            Generate(slot, matrix);
            return true;
        }

        if (scales is not null)
        {
            Float8BlockMatrix blocks = (Float8BlockMatrix)matrix;
            float[] values = new float[scaleCount];
            for (int row = 0, at = 0; at < scaleCount; row += Summation.BlockLength)
            {
                ReadOnlySpan<float> rowScales = blocks.RowScales(row);
                rowScales.CopyTo(values.AsSpan(at));
                at += rowScales.Length;
            }

            scales.View.BaseView.SubView((long)slot * scaleCount, scaleCount).Bring(values);
        }

        return FillWords((long)slot * matrix.Outputs * Matrix.Pitch, matrix, workers);
    }

    /// <summary>Makes a synthetic matrix in a slot, by the device itself.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="matrix">A matrix with a <see cref="WeightMatrix.Sequence"/>.</param>
    internal void Generate(int slot, WeightMatrix matrix)
    {
        SyntheticSequence sequence = matrix.Sequence!.Value;
        SyntheticWeights.Arguments arguments = new(
            Matrix.Words,
            Matrix.Scales,
            (long)slot * matrix.Outputs * Matrix.Pitch,
            (long)slot * scaleCount,
            matrix.Outputs,
            matrix.Inputs,
            Matrix.Pitch,
            matrix is SyntheticFloat8Matrix { HasPowerOfTwoScale: true } ? 1 : 0,
            sequence.Base,
            sequence.Offset,
            sequence.Scale);
        SyntheticWeights.Launch(host, arguments, Format);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        words.Dispose();
        scales?.Dispose();
    }

    private static int BlocksOf(int length) => (length + Summation.BlockLength - 1) / Summation.BlockLength;

    /// <summary>Words from row to row; rows start on a multiple of 16 bytes.</summary>
    private static int PitchOf(WeightMatrix matrix, PanelFormat format)
    {
        int perWord = 1 << ShiftOf(format);
        return (((matrix.Inputs + perWord - 1) / perWord) + 3) / 4 * 4;
    }

    private static PanelFormat FormatOf(WeightMatrix matrix) => matrix switch
    {
        Float8BlockMatrix or SyntheticFloat8Matrix => PanelFormat.Float8E4M3,
        _ => matrix.SmallestFormat,
    };

    private static int ShiftOf(PanelFormat format) => format switch
    {
        PanelFormat.Float32 => Float32Format.Shift,
        PanelFormat.BFloat16 => BFloat16Format.Shift,
        PanelFormat.Float8E4M3 => Float8Format.Shift,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    private bool FillWords(long start, WeightMatrix matrix, WorkerPool workers)
    {
        int pitch = Matrix.Pitch, rowsAtOnce = (int)Math.Clamp(ChunkWords / pitch, 1, matrix.Outputs);
        uint[] chunk = new uint[rowsAtOnce * pitch];
        bool fits = true;
        for (int first = 0; first < matrix.Outputs && fits; first += rowsAtOnce)
        {
            int count = Math.Min(rowsAtOnce, matrix.Outputs - first), firstRow = first;
            workers.Run(count, (from, to, _) =>
            {
                float[] values = new float[matrix.Inputs];
                for (int row = from; row < to; row++)
                {
                    if (!Encode(matrix, firstRow + row, values, chunk.AsSpan(row * pitch, pitch)))
                    {
                        fits = false;
                    }
                }
            });
            words.View.BaseView.SubView(start + ((long)first * pitch), (long)count * pitch).Bring(chunk);
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
