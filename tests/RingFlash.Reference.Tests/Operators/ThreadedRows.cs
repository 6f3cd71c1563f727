// Red here: an element-wise operator gives other bits when its rows are split among threads.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ThreadedRows
{
    private delegate void Run(ExecutionEngine engine, float[] y, WorkerPool? workers);

    [Fact]
    public void TheSizesHereAreSplit()
    {
        using WorkerPool one = new(1), two = new(2);
        Assert.True(RowSplit.Pays(two, 163 * 512));
        Assert.False(RowSplit.Pays(one, 163 * 512));
        Assert.False(RowSplit.Pays(null, 163 * 512));
        Assert.False(RowSplit.Pays(two, 4096));
    }

    [Fact]
    public void RmsNormRows()
    {
        float[] x = TestValues.WithSpecials<Float32Precision>(161 * 517, 1), weight = TestValues.Spread(517, 2);
        Compare("float32", x.Length, (engine, y, workers) =>
            RmsNorm.Apply<Float32Precision>(engine, x, weight, 1e-6f, y, workers));
        Compare("bfloat16", x.Length, (engine, y, workers) =>
            RmsNorm.Apply<BFloat16Precision>(engine, x, weight, 1e-6f, y, workers));
    }

    [Fact]
    public void SwiGluAndResidualAddElements()
    {
        float[] x = TestValues.WithSpecials<Float32Precision>(83_333, 3);
        float[] other = TestValues.WithSpecials<Float32Precision>(83_333, 4);
        Compare("swiglu", x.Length, (engine, y, workers) =>
            SwiGlu.Apply<BFloat16Precision>(engine, x, other, y, workers));
        Compare("residual add", x.Length, (engine, y, workers) =>
            ResidualAdd.Apply<BFloat16Precision>(engine, x, other, y, workers));
    }

    [Fact]
    public void RotaryEmbeddingHeads()
    {
        const int Batch = 2, Heads = 7, Tokens = 53, HeadDim = 128, RotaryDim = 64;
        float[] x = TestValues.Spread(Batch * Heads * Tokens * HeadDim, 5);
        float[] cosine = TestValues.Spread(Batch * Tokens * RotaryDim, 6), sine = TestValues.Spread(cosine.Length, 7);
        Compare("rotary", x.Length, (engine, y, workers) => RotaryEmbedding.Apply<BFloat16Precision>(
            engine, x, Heads, Tokens, HeadDim, cosine, sine, RotaryDim, y, workers));
    }

    [Fact]
    public void RouterScoresAndChoice()
    {
        RouterShape shape = new(256, 8, 4, 8, 2.5f);
        float[] logits = TestValues.WithSpecials<Float32Precision>(163 * 256, 8), bias = TestValues.Spread(256, 9);
        Compare("router scores", logits.Length, (engine, y, workers) =>
            RouterScores.Apply(engine, logits, y, workers));
        float[] scores = TestValues.Spread(163 * 256, 10);
        Compare("weights, choice and margins", 163 * 17, (engine, y, workers) =>
        {
            int[] chosen = new int[163 * 8];
            float[] weights = new float[163 * 8], margins = new float[163];
            GroupLimitedTopK.Apply(engine, shape, scores, bias, chosen, weights, margins, workers);
            weights.CopyTo(y, 0);
            Array.ConvertAll(chosen, index => (float)index).CopyTo(y, 163 * 8);
            margins.CopyTo(y, 163 * 16);
        });
    }

    [Fact]
    public void ExpertCombineTokens()
    {
        float[] outputs = TestValues.Spread(41 * 8 * 133, 11), weights = TestValues.Spread(41 * 8, 12);
        Compare("combine", 41 * 133, (engine, y, workers) =>
            ExpertCombine.Apply<BFloat16Precision>(engine, outputs, weights, 8, y, workers));
    }

    [Fact]
    public void ExtremeValuesAmongOrdinaryOnesTakeTheSameWay()
    {
        // One lane in a few hundred leaves the loop for ordinary values.
        float[] x = TestValues.Spread(4099, 13, binades: 5), y = new float[x.Length], expected = new float[x.Length];
        foreach (int index in Enumerable.Range(0, 12).Select(i => i * 331))
        {
            x[index] = (index % 4) switch { 0 => -300f, 1 => 90f, 2 => float.NegativeInfinity, _ => -69f };
        }

        SwiGlu.Scalar<Float32Precision>(x, x, expected);
        SwiGlu.Vectorised<Float32Precision>(x, x, y);
        Check.SameBits(expected, y, "swiglu");
        RouterScores.Scalar(x, expected);
        RouterScores.Vectorised(x, y);
        Check.SameBits(expected, y, "router scores");
        Softmax.Scalar<Float32Precision>(x, [], expected);
        Softmax.Vectorised<Float32Precision>(x, [], y);
        Check.SameBits(expected, y, "softmax");
        Assert.Equal(LogSoftmax.Scalar(x), LogSoftmax.Vectorised(x));
    }

    private static void Compare(string axes, int length, Run run)
    {
        float[] expected = new float[length];
        run(ExecutionEngine.Scalar, expected, null);
        foreach (int threads in new int[] { 1, 2, 3 })
        {
            using WorkerPool workers = new(threads);
            float[] actual = new float[length];
            Array.Fill(actual, 77f); // every element is to be written
            run(ExecutionEngine.Vector512, actual, workers);
            Check.SameBits(expected, actual, $"{axes}, {threads} threads");
        }
    }
}
