// A weight in memory for the operator tests. Red nowhere by itself.
using System;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Operators;

/// <summary>W [outputs, inputs] in an array; counts how often it is read.</summary>
internal sealed class DenseMatrix : WeightMatrix
{
    private readonly float[] values;
    private int reads;

    public DenseMatrix(int outputs, int inputs, float[] values, PanelFormat packed = PanelFormat.Float32)
        : base("dense", outputs, inputs)
    {
        PackedFormat = packed;

        if (values.Length != outputs * inputs)
        {
            throw new ArgumentException("the values do not fill the matrix", nameof(values));
        }

        this.values = values;
    }

    public int Reads => reads;

    protected override PanelFormat PackedFormat { get; }

    public override void ReadRow(int row, Span<float> destination)
    {
        Interlocked.Increment(ref reads);
        values.AsSpan(row * Inputs, Inputs).CopyTo(destination);
    }

    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        Interlocked.Increment(ref reads);
        for (int column = 0; column < columnCount; column++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                panel[(column * 32) + lane] =
                    firstRow + lane < Outputs ? values[((firstRow + lane) * Inputs) + firstColumn + column] : 0f;
            }
        }
    }
}
