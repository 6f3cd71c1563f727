using System;

namespace RingFlash.Reference.Checkpoint;

/// <summary>The arguments of <see cref="IWeightSource.ReadPanel"/>, checked the same way by every source.</summary>
internal static class PanelArguments
{
    /// <summary>The rows of a panel side by side.</summary>
    public const int Lanes = 32;

    /// <summary>Throws unless the columns lie inside the matrix and the panel has room for them.</summary>
    /// <param name="tensor">The matrix.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstColumn">The first column.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="panelLength">The length of the panel in elements.</param>
    public static void Check(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, int panelLength)
    {
        if (tensor.Shape.Count != 2)
        {
            throw new ArgumentException($"{tensor.Name} {tensor.ShapeText} is not a matrix.", nameof(tensor));
        }

        if (firstRow < 0 || firstRow % Lanes != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(firstRow), firstRow, $"not a multiple of {Lanes}");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(columnCount);
        ArgumentOutOfRangeException.ThrowIfNegative(firstColumn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstColumn, tensor.Shape[1] - columnCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(panelLength, checked(columnCount * Lanes));
    }
}
