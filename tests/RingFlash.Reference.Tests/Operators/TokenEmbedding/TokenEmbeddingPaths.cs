// Red here: a token's embedding depends on its place in the prompt or on alignment.
using System;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class TokenEmbeddingPaths
{
    [Fact]
    public void ARowAloneEqualsTheRowInABatchForEveryWidthAndOffset()
    {
        for (int hidden = 1; hidden <= 257; hidden++)
        {
            float[] values = TestValues.Spread(5 * hidden, hidden);
            DenseMatrix table = new(5, hidden, values);
            foreach (int offset in TestValues.Offsets)
            {
                float[] batch = new float[offset + (3 * hidden)];
                TokenEmbedding.Scalar([4, 0, 2], table, batch.AsSpan(offset));
                Check.SameBits(values.AsSpan(4 * hidden, hidden), batch.AsSpan(offset, hidden), $"hidden {hidden}");
                Check.SameBits(values.AsSpan(0, hidden), batch.AsSpan(offset + hidden, hidden), $"hidden {hidden}");
                Check.SameBits(
                    values.AsSpan(2 * hidden, hidden), batch.AsSpan(offset + (2 * hidden)), $"hidden {hidden}");
            }
        }
    }
}
