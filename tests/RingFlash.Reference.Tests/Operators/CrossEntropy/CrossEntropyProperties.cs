// Red here: the loss is further from the truth than its page promises, or a label reaches the wrong position.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class CrossEntropyProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, byte positions, byte vocabulary)
    {
        int count = 1 + (positions % 100), width = 1 + vocabulary;
        float[] logits = TestValues.Spread(count * width, seed);
        Random random = new(seed);
        long[] targets = new long[count];
        double bounds = 0, losses = 0;
        for (int position = 0; position < count; position++)
        {
            targets[position] = random.Next(width);
            double[] row = TestValues.Wide(logits.AsSpan(position * width, width));
            (double maximum, double logSum) = LogSoftmax.Exact(row);
            double logit = row[targets[position]];
            bounds += LogSoftmaxProperties.Allowed(LogSoftmaxProperties.PageUnits(width), logit, maximum, logSum);
            losses += Math.Abs(logit - maximum - logSum);
        }

        // The mean of the rows' bounds, and ⌈targets/32⌉ + 7 roundings of the mean itself.
        double allowed =
            (bounds / count) + (Check.Relative<Float32Precision>(((count + 31) / 32) + 7, 0) * losses / count);
        Check.Within(
            [CrossEntropy.Apply(ExecutionEngine.Vector512, logits, targets)],
            [CrossEntropy.Exact(TestValues.Wide(logits), targets)],
            _ => allowed,
            $"{count} positions, vocabulary {width}, seed {seed}");
    }

    [Property]
    public void TargetsAreTheLabelsOneAndTwoAheadExceptAtRowBorders(int seed, byte rows, byte width)
    {
        int batch = 1 + (rows % 4), tokens = 1 + (width % 9);
        Random random = new(seed);
        long[] labels = new long[batch * tokens];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = random.Next(100);
        }

        long[] main = CrossEntropy.MainTargets(labels, tokens), next = CrossEntropy.MultiTokenTargets(labels, tokens);
        for (int b = 0; b < batch; b++)
        {
            for (int t = 0; t < tokens; t++)
            {
                int position = (b * tokens) + t;
                long mainExpected = t + 1 < tokens ? labels[position + 1] : CrossEntropy.IgnoreIndex;
                long nextExpected = t + 2 < tokens ? labels[position + 2]
                    : t == tokens - 1 && b + 1 < batch && tokens > 1 ? labels[((b + 1) * tokens) + 1] // the quirk
                    : CrossEntropy.IgnoreIndex;
                Assert.True(main[position] == mainExpected, $"main, {batch} × {tokens}, ({b}, {t})");
                Assert.True(next[position] == nextExpected, $"MTP, {batch} × {tokens}, ({b}, {t})");
            }
        }
    }
}
