// Red here: the two engines disagree about the residual stream for some width or alignment.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ResidualAddPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int length = 0; length <= 257; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                string axes = $"{TPrecision.Name}, length {length}, offset {offset}";
                Span<float> residual = TestValues.WithSpecials<TPrecision>(length + offset, length).AsSpan(offset);
                Span<float> update = TestValues.WithSpecials<TPrecision>(length + 1, ~length).AsSpan(1);
                float[] expected = new float[length], actual = new float[length + offset];
                ResidualAdd.Scalar<TPrecision>(residual, update, expected);
                ResidualAdd.Vectorised<TPrecision>(residual, update, actual.AsSpan(offset));
                Check.SameBits(expected, actual.AsSpan(offset), axes);
                ResidualAdd.Vectorised<TPrecision>(residual, update, update);
                Check.SameBits(expected, update, axes + ", into the update");
                ResidualAdd.Scalar<TPrecision>(
                    residual, TestValues.WithSpecials<TPrecision>(length + 1, ~length).AsSpan(1), residual);
                Check.SameBits(expected, residual, axes + ", into the residual");
            }
        }
    }
}
