// Red here: a norm depends on the engine, on the other tokens of the batch, or on where its row lies in memory.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RmsNormPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryWidthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    [Fact]
    public void ARowAloneEqualsTheRowInABatch()
    {
        const int Hidden = 83, Tokens = 5;
        float[] x = TestValues.Spread(Hidden * Tokens, 1), weight = TestValues.Spread(Hidden, 2);
        float[] batch = new float[x.Length], alone = new float[Hidden];
        RmsNorm.Vectorised<BFloat16Precision>(x, weight, 1e-6f, batch);
        for (int t = 0; t < Tokens; t++)
        {
            RmsNorm.Vectorised<BFloat16Precision>(x.AsSpan(t * Hidden, Hidden), weight, 1e-6f, alone);
            Check.SameBits(batch.AsSpan(t * Hidden, Hidden), alone, $"token {t}");
        }
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int hidden = 1; hidden <= 257; hidden++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                // Two tokens, the second with NaN, infinities and subnormals.
                float[] buffer = new float[offset + (2 * hidden)];
                TestValues.Spread<TPrecision>(hidden, hidden).CopyTo(buffer, offset);
                TestValues.WithSpecials<TPrecision>(hidden, ~hidden).CopyTo(buffer, offset + hidden);
                Span<float> x = buffer.AsSpan(offset);
                Span<float> weight = TestValues.Spread<TPrecision>(hidden + 3, hidden + offset).AsSpan(3);
                float[] expected = new float[2 * hidden], actual = new float[(2 * hidden) + offset];
                RmsNorm.Scalar<TPrecision>(x, weight, 1e-6f, expected);
                RmsNorm.Vectorised<TPrecision>(x, weight, 1e-6f, actual.AsSpan(offset));
                string axes = $"{TPrecision.Name}, hidden {hidden}, offset {offset}";
                Check.SameBits(expected, actual.AsSpan(offset), axes);
                RmsNorm.Vectorised<TPrecision>(x, weight, 1e-6f, x);
                Check.SameBits(expected, x, axes + ", in place");
            }
        }
    }
}
