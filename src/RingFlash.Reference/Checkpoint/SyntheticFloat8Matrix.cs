using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>How the numbers of a synthetic tensor follow from their index: all that a device needs.</summary>
/// <param name="Base"><c>fnv1a64(name) XOR seed</c>.</param>
/// <param name="Offset">The middle of the range.</param>
/// <param name="Scale">Half its width.</param>
internal readonly record struct SyntheticSequence(ulong Base, float Offset, float Scale);

/// <summary>
/// A synthetic matrix in block FP8: the bfloat16 numbers of <see cref="SyntheticSource"/>, quantised as
/// <see cref="Float8BlockQuantization"/> does; so the whole FP8 model needs no disk either.
/// </summary>
/// <remarks>
/// On the host a row of blocks is quantised for the rows that are asked for one after the other; that is the
/// definition, and slow. Devices make codes and scales themselves, with the same bits.
/// </remarks>
public sealed class SyntheticFloat8Matrix : WeightMatrix
{
    private const int BlockSize = Float8BlockMatrix.BlockSize;

    private readonly SyntheticSource source;
    private readonly TensorInfo tensor;
    private BlockRow? last;

    /// <summary>Refers to a tensor; nothing is made yet.</summary>
    /// <param name="source">The source.</param>
    /// <param name="tensor">A matrix of it.</param>
    public SyntheticFloat8Matrix(SyntheticSource source, TensorInfo tensor)
        : base(tensor.Name, Axis(source, tensor, 0), Axis(source, tensor, 1))
    {
        this.source = source;
        this.tensor = tensor;
        HasPowerOfTwoScale = Float8BlockQuantization.HasPowerOfTwoScale(tensor.Name);
    }

    /// <summary>Whether the scales are powers of two.</summary>
    public bool HasPowerOfTwoScale { get; }

    /// <inheritdoc/>
    internal override SyntheticSequence? Sequence => source.SequenceOf(tensor);

    /// <summary>The codes of a row and the scales of the blocks it crosses.</summary>
    /// <param name="row">0 … Outputs − 1.</param>
    /// <param name="codes">[Inputs], e4m3, written.</param>
    /// <returns>[⌈Inputs/128⌉] scales.</returns>
    public ReadOnlySpan<float> ReadCodes(int row, Span<byte> codes)
    {
        BlockRow blocks = BlocksOf(row);
        blocks.Codes.AsSpan((row % BlockSize) * Inputs, Inputs).CopyTo(codes);
        return blocks.Scales;
    }

    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination)
    {
        BlockRow blocks = BlocksOf(row);
        for (int column = 0; column < Inputs; column++)
        {
            destination[column] = blocks.Value(row % BlockSize, column, Inputs);
        }
    }

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        BlockRow blocks = BlocksOf(firstRow);
        for (int column = 0; column < columnCount; column++)
        {
            for (int lane = 0; lane < PanelArguments.Lanes; lane++)
            {
                panel[(column * PanelArguments.Lanes) + lane] = firstRow + lane < Outputs
                    ? blocks.Value((firstRow % BlockSize) + lane, firstColumn + column, Inputs)
                    : 0f;
            }
        }
    }

    // Threads that ask at once may make the same blocks twice; what they get is the same.
    private BlockRow BlocksOf(int row)
    {
        int index = row / BlockSize;
        BlockRow? blocks = last;
        if (blocks?.Index != index)
        {
            int rows = Math.Min(BlockSize, Outputs - (index * BlockSize));
            float[] values = new float[rows * Inputs];
            source.Read(tensor, (long)index * BlockSize * Inputs, values);
            blocks = new BlockRow(
                index, new byte[values.Length], new float[(Inputs + BlockSize - 1) / BlockSize]);
            Float8BlockQuantization.QuantizeBlockRow(
                values, Inputs, HasPowerOfTwoScale, blocks.Codes, blocks.Scales);
            last = blocks;
        }

        return blocks;
    }

    private sealed record BlockRow(int Index, byte[] Codes, float[] Scales)
    {
        public float Value(int row, int column, int inputs) =>
            Float8E4M3.ToSingle(Codes[(row * inputs) + column]) * Scales[column / BlockSize];
    }
}
