// Red here: the training loss scores a position against the wrong label, or averages over the wrong count.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class CrossEntropyExamples
{
    private const long None = CrossEntropy.IgnoreIndex;

    // Two rows of four: 10 11 12 13 / 20 21 22 23.
    private static readonly long[] Labels = [10, 11, 12, 13, 20, 21, 22, 23];

    [Fact]
    public void TheMainHeadIsScoredAgainstTheNextLabelOfItsRow() =>
        Assert.Equal([11, 12, 13, None, 21, 22, 23, None], CrossEntropy.MainTargets(Labels, 4));

    [Fact]
    public void TheMultiTokenHeadIsScoredAgainstTheLabelAfterThatAndLeaksAcrossTheRowBorder()
    {
        // Rolled by one: 11 12 13 · / 21 22 23 ·. Flattened and shifted once more: 12 13 · [21] / 22 23 · ·. The
        // bracketed target of the first row's last position is label 1 of the second row: the published quirk.
        Assert.Equal([12, 13, None, 21, 22, 23, None, None], CrossEntropy.MultiTokenTargets(Labels, 4));

        // With one row there is no border to leak across.
        Assert.Equal([12, 13, None, None], CrossEntropy.MultiTokenTargets(Labels.AsSpan(0, 4), 4));
    }

    [Fact]
    public void IgnoredLabelsMoveWithTheShift() =>
        Assert.Equal([None, 12, 13, None], CrossEntropy.MainTargets([None, None, 12, 13], 4));

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheMeanRunsOverPositionsWithATargetOnly(ExecutionEngine engine)
    {
        // Position 0: p = 1/4. Position 1 does not count, whatever it holds. Position 2: p(1) = 1/2.
        float[] logits = [1f, 1f, 1f, 1f, float.NaN, 0f, 0f, 0f, 3f, 3f, -200f, -200f];
        float loss = CrossEntropy.Apply(engine, logits, [2, None, 1]);
        Assert.Equal((Math.Log(4) + Math.Log(2)) / 2, loss, 2e-7);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NoTargetAtAllIsNaN(ExecutionEngine engine)
    {
        Assert.True(float.IsNaN(CrossEntropy.Apply(engine, [1f, 2f], [None])));
        Assert.True(float.IsNaN(CrossEntropy.Apply(engine, [], [])));
        Assert.True(double.IsNaN(CrossEntropy.Exact([1.0, 2.0], [None])));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(-99)]
    [InlineData(2)]
    public void ATargetOutsideTheVocabularyIsRefused(long target) => Assert.Throws<ArgumentOutOfRangeException>(
        () => CrossEntropy.Apply(ExecutionEngine.Vector512, new float[2], [target]));
}
