using System;
using System.Numerics.Tensors;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Verification;

/// <summary>|W|: a weight seen through its absolute values, for the gauge of a product.</summary>
internal sealed class AbsoluteMatrix : WeightMatrix
{
    private readonly WeightMatrix inner;

    /// <summary>Wraps a matrix.</summary>
    /// <param name="inner">The weight.</param>
    public AbsoluteMatrix(WeightMatrix inner)
        : base(inner.Name, inner.Outputs, inner.Inputs) => this.inner = inner;

    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination)
    {
        inner.ReadRow(row, destination);
        TensorPrimitives.Abs(destination, destination);
    }

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        inner.ReadPanel(firstRow, firstColumn, columnCount, panel);
        TensorPrimitives.Abs(panel, panel);
    }
}
