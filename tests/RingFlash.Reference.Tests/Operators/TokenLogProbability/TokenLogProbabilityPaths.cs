// Red here: a token's log-probability depends on the engine or on the rows beside it.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class TokenLogProbabilityPaths
{
    [Fact]
    public void ScalarEqualsVectorisedAndARowAloneEqualsTheRowInABatch()
    {
        for (int vocabulary = 1; vocabulary <= 257; vocabulary++)
        {
            float[] logits = TestValues.Spread(3 * vocabulary, vocabulary, binades: 5);
            long[] tokens = [0, vocabulary / 2, vocabulary - 1];
            float[] expected = new float[3], actual = new float[3];
            TokenLogProbability.Apply(ExecutionEngine.Scalar, logits, tokens, expected);
            TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, tokens, actual);
            Check.SameBits(expected, actual, $"vocabulary {vocabulary}");
            float[] row = new float[vocabulary];
            for (int t = 0; t < 3; t++)
            {
                ReadOnlySpan<float> alone = logits.AsSpan(t * vocabulary, vocabulary);
                LogSoftmax.Apply(ExecutionEngine.Scalar, alone, row);
                Check.SameBits([expected[t]], [row[tokens[t]]], $"vocabulary {vocabulary}: the entry of the whole row");
                float one = TokenLogProbability.Of(ExecutionEngine.Vector512, alone, tokens[t]);
                Check.SameBits([expected[t]], [one], $"vocabulary {vocabulary}, row {t}");
            }
        }
    }
}
