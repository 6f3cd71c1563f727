// Red here: a token's expert output lands in another token's or another slot's place, or another expert computes it.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RoutedExpertsExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EachSlotHoldsTheOutputOfItsExpert(ExecutionEngine engine)
    {
        // One channel. Expert e: gate 200, up e + 1, down 1: silu(200·x) = 200·x for x ≥ 1, so the output is
        // 200·x · (e + 1)·x. Tokens 1 and 2; slots (2, 0) and (0, 1).
        using WorkerPool workers = new(2);
        ExpertDispatch dispatch = ExpertDispatch.Group([2, 0, 0, 1], 2, 3);
        float[] outputs = new float[4];
        RoutedExperts.Apply<Float32Precision>(
            engine,
            workers,
            false,
            [1f, 2f],
            dispatch,
            e => new ExpertWeights(
                new DenseMatrix(1, 1, [200f]), new DenseMatrix(1, 1, [e + 1f]), new DenseMatrix(1, 1, [1f])),
            outputs);
        Assert.Equal([600f, 200f, 800f, 1600f], outputs);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NoTokensTouchNothing(ExecutionEngine engine)
    {
        using WorkerPool workers = new(2);
        RoutedExperts.Apply<Float32Precision>(
            engine,
            workers,
            false,
            [],
            ExpertDispatch.Group([], 2, 3),
            _ => throw new InvalidOperationException("no expert is needed"),
            []);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar, false)]
    [InlineData(ExecutionEngine.Vector512, false)]
    [InlineData(ExecutionEngine.Vector512, true)]
    public void ExpertsWithoutTokensAreNeitherAskedForNorRead(ExecutionEngine engine, bool quantise)
    {
        using WorkerPool workers = new(2);
        ExpertSet experts = new(5, 40, 33, 1);
        RoutedExperts.Apply<Float32Precision>(
            engine,
            workers,
            quantise,
            TestValues.Spread(80, 1),
            ExpertDispatch.Group([4, 1, 1, 4], 2, 5),
            experts.Get,
            new float[160]);
        for (int e = 0; e < 5; e++)
        {
            bool active = e is 1 or 4;
            Assert.Equal(active ? 1 : 0, experts.Requests(e));
            Assert.Equal(active, experts.Reads(e) > 0);
        }
    }
}
