// Red here: attention depends on the engine, the threads, the batch, or on how a prompt is cut into calls.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class CausalAttentionPaths
{
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(20)]
    [InlineData(24)]
    [InlineData(63)]
    [InlineData(80)]
    [InlineData(128)]
    [InlineData(144)]
    public void ScalarEqualsVectorisedForEveryGroupSizeAndMask(int headDim)
    {
        for (int group = 1; group <= 8; group++)
        {
            foreach (Mask mask in Enum.GetValues<Mask>())
            {
                int keyValueHeads = 1 + (group % 3);
                AttentionShape shape = new(2, group * keyValueHeads, keyValueHeads, 5, group % 4, headDim, 11);
                Compare<Float32Precision>(shape, mask, group);
                Compare<BFloat16Precision>(shape, mask, group);
            }
        }
    }

    [Theory]
    [InlineData(33, 0)]
    [InlineData(65, 0)]
    [InlineData(40, 100)]
    [InlineData(2, 127)]
    [InlineData(34, 130)]
    [InlineData(3, 257)]
    [InlineData(130, 140)]
    public void ScalarEqualsVectorisedBeyondTheBlocksOfQueriesAndKeys(int queries, int past)
    {
        foreach (Mask mask in Enum.GetValues<Mask>())
        {
            AttentionShape shape = new(2, 6, 2, queries, past, 20, queries + past + 5);
            Compare<Float32Precision>(shape, mask, queries);
            Compare<BFloat16Precision>(shape, mask, queries);
        }
    }

    [Fact]
    public void ScalarEqualsVectorisedForEveryNumberOfKeysAndEveryHeadWidth()
    {
        for (int size = 1; size <= 257; size++)
        {
            Compare<Float32Precision>(new AttentionShape(1, 2, 1, 1, size - 1, 18, size + (size % 3)), Mask.None, size);
            Compare<BFloat16Precision>(new AttentionShape(1, 2, 1, 2, 3, size, 5), Mask.Holes, size);
        }
    }

    [Theory]
    [InlineData(Mask.None)]
    [InlineData(Mask.Left)]
    [InlineData(Mask.All)]
    [InlineData(Mask.Holes)]
    public void TheWholePromptEqualsChunksEqualsOneByOne(Mask mask)
    {
        AttentionCase whole =
            AttentionCase.Create<BFloat16Precision>(new AttentionShape(2, 6, 2, 150, 3, 24, 160), mask, 9);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            (float[] context, float[] weights) = whole.Run<BFloat16Precision>(engine);
            foreach (int size in new int[] { 1, 7, 32, 70, 127, 128 })
            {
                for (int first = 0; first < 150; first += size)
                {
                    AttentionCase chunk = whole.Chunk(first, Math.Min(size, 150 - first));
                    CompareRows(
                        whole, context, weights, chunk, first, engine, $"{engine.Word()}, {mask}, chunks of {size}");
                }
            }
        }
    }

    [Fact]
    public void ThreadsBatchesAndUnwantedWeightsChangeNothing()
    {
        foreach (Mask mask in Enum.GetValues<Mask>())
        {
            AttentionCase attention =
                AttentionCase.Create<Float32Precision>(new AttentionShape(3, 4, 2, 37, 5, 20, 50), mask, 4);
            foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
            {
                string axes = $"{engine.Word()}, {mask}";
                (float[] context, float[] weights) = attention.Run<Float32Precision>(engine);
                foreach (int threads in new int[] { 2, 3 })
                {
                    (float[] otherContext, float[] otherWeights) = attention.Run<Float32Precision>(engine, threads);
                    Check.SameBits(context, otherContext, $"{axes}, {threads} threads");
                    Check.SameBits(weights, otherWeights, $"{axes}, {threads} threads, weights");
                }

                Check.SameBits(context, attention.Run<Float32Precision>(engine, 2, wantWeights: false).Context, axes);
                for (int sequence = 0; sequence < 3; sequence++)
                {
                    int length = context.Length / 3;
                    float[] alone = attention.Sequence(sequence).Run<Float32Precision>(engine).Context;
                    Check.SameBits(
                        context.AsSpan(sequence * length, length), alone, $"{axes}, sequence {sequence} alone");
                }
            }
        }
    }

    [Theory]
    [InlineData(8, 1, 1, 20)]
    [InlineData(8, 4, 1, 128)]
    [InlineData(6, 2, 1, 20)]
    [InlineData(4, 2, 3, 16)]
    [InlineData(3, 3, 8, 33)]
    [InlineData(1, 1, 7, 130)]
    public void FewTokensOverALongCacheGiveTheSameHoweverTheKeysAreCut(
        int heads, int keyValueHeads, int queries, int headDim)
    {
        // With three threads and one or two heads every head is cut between workers; blocks of 128 are many.
        foreach (int past in new int[] { 0, 1, 11, 127, 128, 129, 385, 700 })
        {
            foreach (Mask mask in new Mask[] { Mask.None, Mask.Holes, Mask.Left })
            {
                AttentionShape shape = new(2, heads, keyValueHeads, queries, past, headDim, past + queries + 3);
                AttentionCase attention = AttentionCase.Create<BFloat16Precision>(shape, mask, past);
                if (mask == Mask.Left && past > 1)
                {
                    // Padding that ends within the cache: every query sees something.
                    attention.Visible.AsSpan(shape.KeyTokens + (past / 2)).Fill(1);
                }

                (float[] context, float[] weights) = attention.Run<BFloat16Precision>(ExecutionEngine.Scalar);
                foreach (int threads in new int[] { 1, 2, 3 })
                {
                    (float[] other, float[] otherWeights) =
                        attention.Run<BFloat16Precision>(ExecutionEngine.Vector512, threads);
                    string axes = $"{shape}, {mask}, {threads} threads";
                    Check.SameBits(context, other, axes);
                    Check.SameBits(weights, otherWeights, axes + ", weights");
                }
            }
        }
    }

    [Fact]
    public void ScoresThatAreFarApartTakeTheSameWay()
    {
        // Differences beyond 87, where the exponential is subnormal or 0, among ordinary ones, and beyond every limit.
        foreach ((int queries, int past) in new (int, int)[] { (1, 300), (40, 90) })
        {
            AttentionCase attention = AttentionCase.Create<Float32Precision>(
                new AttentionShape(1, 8, 1, queries, past, 16, queries + past), Mask.None, 3);
            for (int key = 0; key < queries + past; key += 7)
            {
                attention.Keys.AsSpan(key * 16, 16).Fill((key % 3) - 1f);
                attention.Keys[key * 16] = 60f * ((key % 5) - 2f);
            }

            (float[] context, float[] weights) = attention.Run<Float32Precision>(ExecutionEngine.Scalar);
            (float[] other, float[] otherWeights) = attention.Run<Float32Precision>(ExecutionEngine.Vector512, 2);
            Check.SameBits(context, other, $"{queries} after {past}");
            Check.SameBits(weights, otherWeights, $"{queries} after {past}, weights");
            Assert.Contains(weights, weight => weight is > 0f and < 1e-37f);
        }
    }

    [Fact]
    public void SpecialValuesTakeTheSameWay()
    {
        AttentionShape shape = new(2, 6, 2, 9, 4, 20, 13);
        for (int seed = 0; seed < 12; seed++)
        {
            foreach (Mask mask in Enum.GetValues<Mask>())
            {
                AttentionCase attention = AttentionCase.Create<Float32Precision>(shape, mask, seed);
                Sprinkle(attention.Query, seed);
                Sprinkle(attention.Keys, seed + 1);
                Sprinkle(attention.Values, seed + 2);
                (float[] context, float[] weights) = attention.Run<Float32Precision>(ExecutionEngine.Scalar);
                (float[] other, float[] otherWeights) = attention.Run<Float32Precision>(ExecutionEngine.Vector512);
                Check.SameBits(context, other, $"{mask}, seed {seed}");
                Check.SameBits(weights, otherWeights, $"{mask}, seed {seed}, weights");
                Assert.Contains(context, float.IsFinite);
            }
        }

        static void Sprinkle(float[] values, int seed)
        {
            // A few only, so that rows without any remain.
            float[] specials = TestValues.WithSpecials<Float32Precision>(values.Length, seed);
            Random random = new(seed);
            for (int count = 0; count < 5; count++)
            {
                int index = random.Next(values.Length);
                values[index] = specials[index];
            }
        }
    }

    [Fact]
    public void AnyMarkButZeroMeansVisible()
    {
        AttentionCase attention =
            AttentionCase.Create<Float32Precision>(new AttentionShape(2, 2, 1, 6, 2, 20, 8), Mask.Left, 5);
        AttentionCase marked =
            attention with { Visible = Array.ConvertAll(attention.Visible, mark => (byte)(mark * 255)) };
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            Check.SameBits(
                attention.Run<Float32Precision>(engine).Context,
                marked.Run<Float32Precision>(engine).Context,
                engine.Word());
        }
    }

    [Fact]
    public void ACacheOfAnyCapacityGivesTheSame()
    {
        AttentionShape tight = new(1, 4, 1, 9, 8, 20, 17);
        AttentionCase exact = AttentionCase.Create<Float32Precision>(tight, Mask.None, 3);
        AttentionCase roomy = AttentionCase.Create<Float32Precision>(tight with { CacheCapacity = 99 }, Mask.None, 3);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            Check.SameBits(
                exact.Run<Float32Precision>(engine).Context,
                roomy.Run<Float32Precision>(engine).Context,
                engine.Word());
        }
    }

    private static void Compare<TPrecision>(AttentionShape shape, Mask mask, int seed)
        where TPrecision : struct, IPrecision
    {
        AttentionCase attention = AttentionCase.Create<TPrecision>(shape, mask, seed);
        (float[] context, float[] weights) = attention.Run<TPrecision>(ExecutionEngine.Scalar);
        (float[] otherContext, float[] otherWeights) = attention.Run<TPrecision>(ExecutionEngine.Vector512);
        string axes = $"{TPrecision.Name}, {shape}, {mask}, seed {seed}";
        Check.SameBits(context, otherContext, axes);
        Check.SameBits(weights, otherWeights, axes + ", weights");
        Assert.DoesNotContain(context, float.IsNaN); // the slots beyond the filled ones hold NaN and are not read
    }

    private static void CompareRows(
        AttentionCase whole,
        float[] context,
        float[] weights,
        AttentionCase chunk,
        int first,
        ExecutionEngine engine,
        string axes)
    {
        (float[] chunkContext, float[] chunkWeights) = chunk.Run<BFloat16Precision>(engine);
        AttentionShape shape = chunk.Shape;
        int compared = 0;
        for (int sequence = 0; sequence < shape.Batch; sequence++)
        {
            for (int i = 0; i < shape.QueryTokens; i++)
            {
                if (!whole.SeesAnything(sequence, first + i))
                {
                    continue; // as the page says, such a row depends on where the call ends
                }

                compared++;
                string row = $"{axes}, sequence {sequence}, token {first + i}";
                Check.SameBits(
                    whole.ContextRow(context, sequence, first + i), chunk.ContextRow(chunkContext, sequence, i), row);
                for (int head = 0; head < shape.Heads; head++)
                {
                    int wholeRow = (((sequence * shape.Heads) + head) * whole.Shape.QueryTokens) + first + i;
                    int chunkRow = (((sequence * shape.Heads) + head) * shape.QueryTokens) + i;
                    Check.SameBits(
                        weights.AsSpan(wholeRow * whole.Shape.KeyTokens, shape.KeyTokens),
                        chunkWeights.AsSpan(chunkRow * shape.KeyTokens, shape.KeyTokens),
                        $"{row}, head {head}");
                }
            }
        }

        Assert.True(compared > 0, axes + ": nothing was compared");
    }
}
