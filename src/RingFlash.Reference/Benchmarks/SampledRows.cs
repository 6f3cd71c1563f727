using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Some outputs of a matrix as a matrix of its own, so that the scalar path need not compute all.</summary>
internal sealed class SampledRows : WeightMatrix
{
    private readonly WeightMatrix whole;
    private readonly int[] rows;

    /// <summary>Chooses rows.</summary>
    /// <param name="whole">The matrix.</param>
    /// <param name="rows">Rows of it.</param>
    public SampledRows(WeightMatrix whole, int[] rows)
        : base(whole.Name, rows.Length, whole.Inputs)
    {
        this.whole = whole;
        this.rows = rows;
    }

    /// <summary>Numbers from the first to the last of a range, spread evenly, both ends among them.</summary>
    /// <param name="count">The range is 0 … count − 1.</param>
    /// <param name="wanted">How many, if there are as many.</param>
    /// <returns>Ascending, each once.</returns>
    public static int[] Spread(int count, int wanted) =>
        [.. Enumerable.Range(0, wanted)
            .Select(index => wanted == 1 ? count - 1 : (int)((long)index * (count - 1) / (wanted - 1)))
            .Distinct()];

    /// <summary>Rows of a row-major array, one after the other.</summary>
    /// <param name="values">[…, width].</param>
    /// <param name="width">The length of a row.</param>
    /// <param name="rows">Which.</param>
    /// <returns>[rows, width].</returns>
    public static float[] Take(float[] values, int width, IEnumerable<int> rows) =>
        [.. rows.SelectMany(row => values.AsSpan(row * width, width).ToArray())];

    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination) => whole.ReadRow(rows[row], destination);

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel) =>
        throw new NotSupportedException("sampled rows are for the scalar path");
}
