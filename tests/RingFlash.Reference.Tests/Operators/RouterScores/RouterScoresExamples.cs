// Red here: the router scores experts with something else than independent sigmoids.
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RouterScoresExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EachExpertIsScoredByItself(ExecutionEngine engine)
    {
        // σ(ln 3) = 3/4 whatever the neighbours are; a softmax over the row would sum to 1.
        float[] scores = new float[4];
        RouterScores.Apply(engine, [0f, 1.0986123f, -1.0986123f, 0f], scores);
        Assert.Equal(0.5f, scores[0]);
        Assert.Equal(0.75f, scores[1], 1e-7f);
        Assert.Equal(0.25f, scores[2], 1e-7f);
        Assert.Equal(0.5f, scores[3]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void SpecialValues(ExecutionEngine engine)
    {
        float[] scores = new float[5];
        RouterScores.Apply(engine, [float.NegativeInfinity, float.PositiveInfinity, float.NaN, -0f, 200f], scores);
        Check.SameBits([0f, 1f, float.NaN, 0.5f, 1f], scores, "specials");
    }
}
