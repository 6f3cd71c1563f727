// Red here: losses are averaged over the wrong tokens or rows, so learning rates silently change with the mask.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LossAggregationExamples
{
    [Theory]
    [InlineData(LossAggregationKind.SequenceMeanTokenMean, (((1 + 2) / 2.0) + 0 + 6) / 3)]
    [InlineData(LossAggregationKind.SequenceMeanTokenMeanNonEmpty, (((1 + 2) / 2.0) + 6) / 2)]
    [InlineData(LossAggregationKind.TokenMean, 9 / 3.0)]
    [InlineData(LossAggregationKind.SequenceMeanTokenSum, 9 / 3.0)]
    [InlineData(LossAggregationKind.TokenSum, 9)]
    public void TheFiveDenominators(LossAggregationKind kind, double expected)
    {
        // Two tokens with a hole between them, an empty row, one token; the rest must not be seen.
        double no = double.NaN;
        double[] contributions = [1, no, 2, no, double.PositiveInfinity, no, 6, no, no];
        byte[] mask = [1, 0, 1, 0, 0, 0, 1, 0, 0];
        LossDenominators denominators = LossDenominators.Count([2, 0, 1]);
        Assert.Equal(new LossDenominators(3, 2, 3), denominators);
        Assert.Equal(expected, LossAggregation.Exact(kind, contributions, mask, 3, denominators), 1e-15);
        float[] single = [.. contributions.Select(value => (float)value)];
        Assert.Equal(expected, LossAggregation.Scalar(kind, single, mask, 3, denominators), 1e-6);
        Assert.Equal(expected, LossAggregation.Vectorised(kind, single, mask, 3, denominators), 1e-6);
        Assert.Equal(0, LossAggregation.Exact(kind, contributions, new byte[9], 3, LossDenominators.Count([0, 0, 0])));
        Assert.Equal(0, LossAggregation.Exact(kind, [], [], 0, default));
        double[] gradient = new double[3];
        double coefficient = LossAggregation.Coefficient(kind, 2, denominators);
        LossAggregation.Backward([1.0, no, 1], mask.AsSpan(0, 3), coefficient, gradient);
        Assert.Equal([coefficient, 0, coefficient], gradient);
    }

    [Fact]
    public void ScalarEqualsVectorisedRowOrderDoesNotMatterAndErrorsAreWithinThePagesBound()
    {
        foreach (LossAggregationKind kind in Enum.GetValues<LossAggregationKind>())
        {
            for (int length = 1; length <= 70; length += 3)
            {
                const int Rows = 40;
                float[] values = TestValues.Spread(Rows * length, length);
                byte[] mask = [.. Enumerable.Range(0, Rows * length).Select(i => (byte)(i * 7 % 5 == 0 ? 0 : 1))];
                int[] counts =
                    [.. mask.Chunk(length).Select(row => row.Sum(flag => flag))];
                LossDenominators denominators = LossDenominators.Count(counts);
                float expected = LossAggregation.Scalar(kind, values, mask, Rows, denominators);
                float actual = LossAggregation.Vectorised(kind, values, mask, Rows, denominators);
                int[] order = TestValues.Permutation(Rows, length);
                float shuffled = LossAggregation.Apply(
                    ExecutionEngine.Vector512,
                    kind,
                    TestValues.PermuteRows(values, length, order),
                    TestValues.PermuteRows(mask, length, order),
                    Rows,
                    denominators);
                Check.SameBits([expected, expected], [actual, shuffled], $"{kind}, length {length}");

                double[] coefficients = new double[Rows], wide = TestValues.Wide(values);
                LossAggregation.Coefficients(kind, counts, denominators, coefficients);
                double gauge = Enumerable.Range(0, wide.Length)
                    .Sum(i => mask[i] * coefficients[i / length] * Math.Abs(wide[i]));
                double units = Math.Ceiling(length / 32.0) + Math.Ceiling(Rows / 32.0) + 12;
                Check.Within(
                    [expected],
                    [LossAggregation.Exact(kind, wide, mask, Rows, denominators)],
                    _ => units * Check.FloatUnit * gauge,
                    $"{kind}, length {length}");
            }
        }
    }
}
