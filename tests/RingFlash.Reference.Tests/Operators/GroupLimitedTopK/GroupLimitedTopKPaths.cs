// Red here: the two engines send a token to different experts.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class GroupLimitedTopKPaths
{
    private static readonly float[] Ties =
        [0f, -0f, 0.5f, 0.5f, 0.25f, -1f, 1f, float.NaN, float.NegativeInfinity, float.PositiveInfinity];

    [Fact]
    public void ScalarEqualsVectorisedForEveryGrouping()
    {
        int seed = 0;
        for (int groups = 1; groups <= 8; groups++)
        {
            foreach (int perGroup in new int[] { 2, 3, 5, 8, 15, 16, 17, 32, 33 })
            {
                foreach (int chosenGroups in new int[] { 1, (groups + 1) / 2, groups })
                {
                    foreach (int topK in new int[] { 1, Math.Min(8, perGroup * chosenGroups), 3 })
                    {
                        if (topK <= perGroup * chosenGroups)
                        {
                            Compare(new RouterShape(groups * perGroup, groups, chosenGroups, topK, 2.5f), seed++);
                        }
                    }
                }
            }
        }
    }

    [Fact]
    public void ATokenAloneEqualsTheTokenInABatch()
    {
        RouterShape shape = new(256, 8, 4, 8, 2.5f);
        float[] scores = TestValues.Spread(5 * 256, 1), bias = TestValues.Spread(256, 2);
        GroupLimitedTopKExamples.Decision batch =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        for (int t = 0; t < 5; t++)
        {
            GroupLimitedTopKExamples.Decision alone = GroupLimitedTopKExamples.Choose(
                ExecutionEngine.Vector512, shape, scores[(t * 256)..((t + 1) * 256)], bias);
            Assert.Equal(batch.Indices[(t * 8)..((t + 1) * 8)], alone.Indices);
            Check.SameBits(batch.Weights.AsSpan(t * 8, 8), alone.Weights, $"token {t}");
            Check.SameBits([batch.Margins[t]], alone.Margins, $"margin of token {t}");
        }
    }

    private static void Compare(RouterShape shape, int seed)
    {
        Random random = new(seed);
        const int Offset = 3;
        for (int kind = 0; kind < 4; kind++)
        {
            // 0: ordinary, 1: negative sums, 2: many ties and both zeros, 3: with NaN and infinities.
            float[] scores = new float[shape.Experts + Offset], bias = new float[shape.Experts + 1];
            for (int e = 0; e < shape.Experts; e++)
            {
                scores[e + Offset] = kind < 2 ? random.NextSingle() : Ties[random.Next(kind == 2 ? 7 : Ties.Length)];
                bias[e + 1] = kind == 0 ? random.NextSingle() - 0.5f : kind == 1 ? -2f : Ties[random.Next(7)];
            }

            int[] groups = new int[shape.ChosenGroups], otherGroups = new int[shape.ChosenGroups];
            int[] indices = new int[shape.TopK], otherIndices = new int[shape.TopK];
            GroupLimitedTopK.Scalar(shape, scores.AsSpan(Offset), bias.AsSpan(1), groups, indices);
            GroupLimitedTopK.Vectorised(shape, scores.AsSpan(Offset), bias.AsSpan(1), otherGroups, otherIndices);
            string axes = $"{shape}, kind {kind}, seed {seed}";
            Assert.True(groups.AsSpan().SequenceEqual(otherGroups), axes + ": groups");
            Assert.True(indices.AsSpan().SequenceEqual(otherIndices), axes + ": experts");
            if (kind >= 2)
            {
                // Ties, NaN and infinities add up exactly, so the sorting oracle must make the same choice. It knows no
                // masked experts, so it is asked only where the chosen groups hold enough above −∞.
                int[] exactIndices = new int[shape.TopK];
                double[] wide = TestValues.Wide(scores.AsSpan(Offset)), weights = new double[shape.TopK];
                GroupLimitedTopK.Exact(shape, wide, bias.AsSpan(1), exactIndices, weights);
                bool reachesMasked = Array.Exists(indices, e => !groups.AsSpan().Contains(e / shape.ExpertsPerGroup));
                Assert.True(reachesMasked || indices.AsSpan().SequenceEqual(exactIndices), axes + ": oracle");
            }
        }
    }
}
