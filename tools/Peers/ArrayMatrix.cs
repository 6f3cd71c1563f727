using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace RingFlash.Peers;

/// <summary>A bf16 matrix in an array, for both sides.</summary>
/// <param name="outputs">Rows.</param>
/// <param name="inputs">Columns.</param>
/// <param name="values">[outputs, inputs].</param>
internal sealed class ArrayMatrix(int outputs, int inputs, float[] values) : WeightMatrix("array", outputs, inputs)
{
    protected override PanelFormat PackedFormat => PanelFormat.BFloat16;

    /// <summary>Numbers of bf16 between ±1/2.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="count">How many.</param>
    /// <returns>The numbers.</returns>
    public static float[] Numbers(int seed, int count)
    {
        float[] numbers = new float[count];
        uint state = (uint)seed + 1;
        for (int index = 0; index < count; index++)
        {
            state = (state * 1664525) + 1013904223;
            numbers[index] = RingFlash.Reference.Numerics.BFloat16.Round(((state >> 8) / (float)(1 << 24)) - 0.5f);
        }

        return numbers;
    }

    /// <summary>A packed random matrix and the same as a bf16 tensor.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="workers">Who packs.</param>
    /// <returns>Both.</returns>
    public static (ArrayMatrix Packed, Tensor Tensor) Random(int seed, int outputs, int inputs, WorkerPool workers)
    {
        float[] values = Array.ConvertAll(Numbers(seed, outputs * inputs), value => value / 16);
        ArrayMatrix matrix = new(outputs, inputs, values);
        matrix.Pack(workers);
        return (matrix, tensor(values).reshape(outputs, inputs).to(ScalarType.BFloat16));
    }

    public override void ReadRow(int row, Span<float> destination) =>
        values.AsSpan(row * Inputs, Inputs).CopyTo(destination);

    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        panel.Clear();
        for (int lane = 0; lane < Math.Min(32, Outputs - firstRow); lane++)
        {
            for (int k = 0; k < columnCount; k++)
            {
                panel[(k * 32) + lane] = values[((firstRow + lane) * Inputs) + firstColumn + k];
            }
        }
    }
}
