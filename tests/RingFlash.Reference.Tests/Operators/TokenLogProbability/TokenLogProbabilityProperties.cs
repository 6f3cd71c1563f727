// Red here: a token's log-probability is further from the truth than the page promises.
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class TokenLogProbabilityProperties
{
    [Property]
    public void ErrorsAreWithinTheBoundOfLogSoftmax(int seed, ushort vocabulary, ushort token)
    {
        int length = 1 + (vocabulary % 600), index = token % length;
        float[] logits = TestValues.Spread(length, seed, binades: 5);
        double[] wide = TestValues.Wide(logits);
        (double maximum, double logSum) = LogSoftmax.Exact(wide);
        Check.Within(
            [TokenLogProbability.Of(ExecutionEngine.Vector512, logits, index)],
            [TokenLogProbability.Exact(wide, index)],
            _ => LogSoftmaxProperties.Allowed(LogSoftmaxProperties.PageUnits(length), wide[index], maximum, logSum),
            $"{length} entries, token {index}, seed {seed}");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte rows)
    {
        const int Vocabulary = 41;
        int count = rows % 9;
        float[] logits = TestValues.Spread(count * Vocabulary, seed);
        long[] tokens = new long[count];
        for (int t = 0; t < count; t++)
        {
            tokens[t] = (t * 7) % Vocabulary;
        }

        int[] order = TestValues.Permutation(count, seed);
        float[] y = new float[count], permuted = new float[count];
        TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, tokens, y);
        TokenLogProbability.Apply(
            ExecutionEngine.Vector512,
            TestValues.PermuteRows(logits, Vocabulary, order),
            TestValues.PermuteRows(tokens, 1, order),
            permuted);
        Check.SameBits(TestValues.PermuteRows(y, 1, order), permuted, $"{count} rows, seed {seed}");
    }
}
