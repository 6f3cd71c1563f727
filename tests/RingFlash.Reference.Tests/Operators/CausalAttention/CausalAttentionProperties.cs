// Red here: attention is further from the truth than its page promises, or padding and later tokens leak into a token.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 25)]
public sealed class CausalAttentionProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, byte queries, byte past, byte width)
    {
        AttentionShape shape = Shape(queries, past, width);
        AgainstExact<Float32Precision>(shape, (Mask)(seed & 3), seed);
        AgainstExact<BFloat16Precision>(shape, (Mask)(seed & 3), seed);
    }

    [Property]
    public void PaddingNeverLeaksIntoRealTokens(int seed, byte queries, byte past, byte width, bool holes)
    {
        AttentionShape shape = Shape(queries, past, width);
        AttentionCase attention = AttentionCase.Create<Float32Precision>(shape, holes ? Mask.Holes : Mask.Left, seed);
        AttentionCase other = attention with
        {
            Query = (float[])attention.Query.Clone(),
            Keys = (float[])attention.Keys.Clone(),
            Values = (float[])attention.Values.Clone(),
        };
        float[] noise = TestValues.Spread(shape.HeadDim, seed + 7, binades: 20);
        for (int sequence = 0; sequence < shape.Batch; sequence++)
        {
            for (int key = 0; key < shape.KeyTokens; key++)
            {
                if (!attention.IsVisible(sequence, key))
                {
                    Overwrite(other.Keys, shape.KeyValueHeads, shape.CacheCapacity, sequence, key);
                    Overwrite(other.Values, shape.KeyValueHeads, shape.CacheCapacity, sequence, key);
                    if (key >= shape.PastTokens)
                    {
                        Overwrite(other.Query, shape.Heads, shape.QueryTokens, sequence, key - shape.PastTokens);
                    }
                }
            }
        }

        float[] expected = attention.Run<Float32Precision>(ExecutionEngine.Vector512).Context;
        float[] actual = other.Run<Float32Precision>(ExecutionEngine.Vector512).Context;
        for (int sequence = 0; sequence < shape.Batch; sequence++)
        {
            for (int i = 0; i < shape.QueryTokens; i++)
            {
                if (attention.IsVisible(sequence, shape.PastTokens + i))
                {
                    Check.SameBits(
                        attention.ContextRow(expected, sequence, i),
                        attention.ContextRow(actual, sequence, i),
                        $"{shape}, seed {seed}, sequence {sequence}, token {i}");
                }
            }
        }

        void Overwrite(float[] tensor, int heads, int rows, int sequence, int row)
        {
            for (int head = 0; head < heads; head++)
            {
                noise.CopyTo(tensor, ((((sequence * heads) + head) * rows) + row) * shape.HeadDim);
            }
        }
    }

    [Property]
    public void LaterTokensAreNeverRead(int seed, byte queries, byte past, byte width)
    {
        AttentionShape shape = Shape(queries, past, width) with { Batch = 1 };
        AttentionCase attention = AttentionCase.Create<Float32Precision>(shape, Mask.None, seed);
        float[] expected = attention.Run<Float32Precision>(ExecutionEngine.Vector512).Context;
        for (int head = 0; head < shape.KeyValueHeads; head++)
        {
            int start = ((head * shape.CacheCapacity) + shape.KeyTokens - 1) * shape.HeadDim;
            attention.Keys.AsSpan(start, shape.HeadDim).Fill(float.NaN);
            attention.Values.AsSpan(start, shape.HeadDim).Fill(float.NaN);
        }

        float[] actual = attention.Run<Float32Precision>(ExecutionEngine.Vector512).Context;
        int before = (shape.QueryTokens - 1) * shape.Heads * shape.HeadDim;
        Check.SameBits(expected.AsSpan(0, before), actual.AsSpan(0, before), $"{shape}, seed {seed}");
        Assert.All(actual[before..], value => Assert.True(float.IsNaN(value)));
    }

    [Property]
    public void EqualScoresAverageWholeNumbersExactly(int seed, byte power)
    {
        // A zero query scores every key 0: 2^k keys weigh 2^-k each, and the mean of whole values is exact.
        int keys = 1 << (power % 9), headDim = 1 + (seed & 31);
        AttentionShape shape = new(1, 2, 1, 1, keys - 1, headDim, keys);
        float[] values = TestValues.WholeNumbers(keys * headDim, seed);
        float[] keyStates = TestValues.Spread(keys * headDim, ~seed);
        AttentionCase attention = new(shape, new float[2 * headDim], keyStates, values, []);
        double[] mean = new double[2 * headDim];
        for (int d = 0; d < headDim; d++)
        {
            double sum = 0;
            for (int j = 0; j < keys; j++)
            {
                sum += values[(j * headDim) + d];
            }

            mean[d] = mean[headDim + d] = sum / keys;
        }

        (float[] context, float[] weights) = attention.Run<Float32Precision>(ExecutionEngine.Vector512);
        Check.Within(context, mean, _ => 0, $"{keys} keys, seed {seed}");
        Assert.All(weights, weight => Assert.Equal(1f / keys, weight));
    }

    [Property]
    public void PowersOfTwoOnValuesScaleAndPermutedSequencesCommute(
        int seed, byte queries, byte past, byte width, byte shift)
    {
        AttentionShape shape = Shape(queries, past, width);
        AttentionCase attention = AttentionCase.Create<BFloat16Precision>(shape, (Mask)(seed & 3), seed);
        float[] context = attention.Run<BFloat16Precision>(ExecutionEngine.Vector512).Context;
        int exponent = (shift % 40) - 20;
        AttentionCase scaled = attention with { Values = TestValues.Scaled(attention.Values, exponent) };
        Check.SameBits(
            TestValues.Scaled(context, exponent),
            scaled.Run<BFloat16Precision>(ExecutionEngine.Vector512).Context,
            $"{shape}, times 2^{exponent}, seed {seed}");

        AttentionCase swapped = new(
            shape, Swap(attention.Query), Swap(attention.Keys), Swap(attention.Values), Swap(attention.Visible));
        Check.SameBits(
            Swap(context),
            swapped.Run<BFloat16Precision>(ExecutionEngine.Vector512).Context,
            $"{shape}, swapped, seed {seed}");

        static T[] Swap<T>(T[] two) => TestValues.PermuteRows(two, two.Length / 2, [1, 0]);
    }

    private static AttentionShape Shape(byte queries, byte past, byte width)
    {
        int queryTokens = 2 + (queries % 40), pastTokens = past % 140;
        return new AttentionShape(2, 4, 2, queryTokens, pastTokens, 1 + (width % 90), queryTokens + pastTokens + 2);
    }

    private static void AgainstExact<TPrecision>(AttentionShape shape, Mask mask, int seed)
        where TPrecision : struct, IPrecision
    {
        AttentionCase attention = AttentionCase.Create<TPrecision>(shape, mask, seed);
        double[] query = TestValues.Wide(attention.Query), keys = TestValues.Wide(attention.Keys);
        double[] values = TestValues.Wide(attention.Values);
        double[] exact = new double[query.Length];
        double[] weights = new double[shape.Batch * shape.Heads * shape.QueryTokens * shape.KeyTokens];
        using WorkerPool workers = new(1);
        CausalAttention.Exact(workers, shape, query, keys, values, attention.Visible, exact, weights);
        double[] allowed = new double[exact.Length];
        for (int row = 0; row < shape.Batch * shape.Heads * shape.QueryTokens; row++)
        {
            int i = row % shape.QueryTokens, head = row / shape.QueryTokens % shape.Heads;
            int sequence = row / shape.QueryTokens / shape.Heads;
            int cache =
                ((sequence * shape.KeyValueHeads) + shape.KeyValueHead(head)) * shape.CacheCapacity * shape.HeadDim;
            bool sees = attention.SeesAnything(sequence, i);
            int keyCount = sees ? shape.PastTokens + i + 1 : shape.KeyTokens;
            double largest = 0;
            for (int j = 0; sees && j < keyCount; j++)
            {
                double gauge = 0;
                for (int d = 0; d < shape.HeadDim; d++)
                {
                    gauge += Math.Abs(query[(row * shape.HeadDim) + d] * keys[cache + (j * shape.HeadDim) + d]);
                }

                largest = Math.Max(largest, gauge / Math.Sqrt(shape.HeadDim));
            }

            // The page's units; the exponential instead of its first order. Under bfloat16 the product and the quotient
            // move a score by u·A each, twice relative in p; p and the context are rounded once more.
            double units =
                (2 * (shape.HeadDim + 4) * largest) + ((keyCount + 31) / 32) + ((keyCount + 127) / 128) + 138;
            double storage = TPrecision.UnitRoundoff == Check.FloatUnit ? 0 : TPrecision.UnitRoundoff;
            double relative =
                Math.Exp((units * Check.FloatUnit) + (4.1 * largest * storage)) * (1 + storage) * (1 + storage);
            for (int d = 0; d < shape.HeadDim; d++)
            {
                double gauge = 0;
                for (int j = 0; j < keyCount; j++)
                {
                    gauge += weights[(row * shape.KeyTokens) + j] * Math.Abs(values[cache + (j * shape.HeadDim) + d]);
                }

                int output = (((((sequence * shape.QueryTokens) + i) * shape.Heads) + head) * shape.HeadDim) + d;
                allowed[output] = (relative - 1) * gauge;
            }
        }

        (float[] context, float[] floatWeights) = attention.Run<TPrecision>(ExecutionEngine.Vector512);
        Check.Within(context, exact, i => allowed[i], $"{TPrecision.Name}, {shape}, {mask}, seed {seed}");
        for (int row = 0; row < floatWeights.Length; row += shape.KeyTokens)
        {
            double sum = 0;
            foreach (float weight in floatWeights.AsSpan(row, shape.KeyTokens))
            {
                sum += weight;
            }

            double units = ((shape.KeyTokens + 31) / 32) + 6;
            double sumAllowed = Check.Relative<TPrecision>(units, 1) + 1e-30;
            Assert.True(Math.Abs(sum - 1) <= sumAllowed, $"{shape}, {mask}: weights add up to {sum}");
        }
    }
}
