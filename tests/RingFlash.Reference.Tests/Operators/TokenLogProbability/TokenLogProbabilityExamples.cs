// Red here: RL frameworks get the log-probability of another token, or of another row.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class TokenLogProbabilityExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EachRowIsScoredAtItsOwnToken(ExecutionEngine engine)
    {
        // Row 0: p = 1/4 everywhere. Row 1: weights 1 : 2 : 5 : 0, so p(2) = 5/8.
        float[] logits = [9f, 9f, 9f, 9f, 0f, MathF.Log(2f), MathF.Log(5f), float.NegativeInfinity];
        float[] y = new float[2];
        TokenLogProbability.Apply(engine, logits, [3, 2], y);
        Check.Within(y, [Math.Log(0.25), Math.Log(0.625)], _ => 2e-7, "tokens 3 and 2");
        TokenLogProbability.Apply(engine, logits, [0, 3], y);
        Assert.Equal(float.NegativeInfinity, y[1]);
        TokenLogProbability.Apply(engine, [], [], []);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(-100)]
    [InlineData(4)]
    [InlineData(long.MaxValue)]
    public void ATokenOutsideTheVocabularyIsRefused(long token)
    {
        float[] logits = [1f, 2f, 3f, 4f];
        Assert.Throws<ArgumentOutOfRangeException>(() => TokenLogProbability.Of(ExecutionEngine.Scalar, logits, token));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => TokenLogProbability.Of(ExecutionEngine.Vector512, logits, token));
    }
}
