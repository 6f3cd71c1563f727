// Red here: attention weights are further from the truth than their page promises, or break a law of softmax.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class SoftmaxProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, ushort keys)
    {
        AgainstExact<Float32Precision>(1 + (keys % 500), seed);
        AgainstExact<BFloat16Precision>(1 + (keys % 500), seed);
    }

    [Property]
    public void RowsAddUpToOne(int seed, ushort keys)
    {
        // A weight is round(e / D), D the rounded sum of the same e: whatever the scores, Σ p = Σ e / D to within the
        // ⌈keys/32⌉ + 5 roundings of D and the one of the quotient, and half a step where a quotient is subnormal.
        int length = 1 + (keys % 500);
        float[] scores = TestValues.Spread(length, seed, binades: 6);
        Assert<Float32Precision>(scores);
        Assert<BFloat16Precision>(scores);

        static void Assert<TPrecision>(float[] scores)
            where TPrecision : struct, IPrecision
        {
            double sum = 0, units = ((scores.Length + 31) / 32) + 6;
            foreach (float weight in Weights<TPrecision>(scores, []))
            {
                sum += weight;
            }

            double allowed = Check.Relative<TPrecision>(units, 1) + (scores.Length * 2 * Check.HalfTiny<TPrecision>());
            Xunit.Assert.True(Math.Abs(sum - 1) <= allowed, $"{TPrecision.Name}, {scores.Length} keys: sum {sum}");
        }
    }

    [Property]
    public void AShiftThatIsExactChangesNothing(int seed, ushort keys, short shift)
    {
        // Whole scores and a whole shift: every difference to the maximum is the same float.
        float[] scores = TestValues.WholeNumbers(1 + (keys % 300), seed, largest: 40);
        float[] shifted = Array.ConvertAll(scores, score => score + shift);
        Check.SameBits(
            Weights<Float32Precision>(scores, []),
            Weights<Float32Precision>(shifted, []),
            $"shift {shift}, seed {seed}");
    }

    [Property]
    public void MaskedScoresAndAMaskedTailChangeNothing(int seed, ushort keys, byte tail)
    {
        int length = 1 + (keys % 300);
        Random random = new(seed);
        float[] scores = TestValues.Spread(length, seed);
        byte[] visible = new byte[length];
        random.NextBytes(visible);
        for (int j = 0; j < length; j++)
        {
            visible[j] = (byte)(j == 0 ? 1 : visible[j] & 1);
        }

        float[] expected = Weights<Float32Precision>(scores, visible);
        float[] other = new float[length + tail];
        byte[] longerMask = new byte[length + tail];
        for (int j = 0; j < other.Length; j++)
        {
            bool isVisible = j < length && visible[j] != 0;
            other[j] = isVisible ? scores[j] : random.Next(3) == 0 ? float.NaN : 1e6f * random.NextSingle();
            longerMask[j] = (byte)(isVisible ? 1 : 0);
        }

        float[] actual = Weights<Float32Precision>(other, longerMask);
        Check.SameBits(expected, actual.AsSpan(0, length), $"{length} keys, {tail} more, seed {seed}");
        Check.SameBits(new float[tail], actual.AsSpan(length), "behind the mask");
    }

    private static void AgainstExact<TPrecision>(int keys, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] scores = TestValues.Spread<TPrecision>(keys, seed, binades: 6);
        double[] exact = new double[keys];
        Softmax.Exact(TestValues.Wide(scores), [], exact);
        float least = scores[0], most = scores[0];
        foreach (float score in scores)
        {
            (least, most) = (Math.Min(least, score), Math.Max(most, score));
        }

        double page = (2.0 * (most - least)) + ((keys + 31) / 32) + 10;

        // Below the normal range: one step of exp (divided by a sum of at least 1) and half a step of each rounding.
        double tail = Check.FloatTiny + (2 * Check.HalfTiny<TPrecision>());
        Check.Within(
            Weights<TPrecision>(scores, []),
            exact,
            j => (Check.Relative<TPrecision>(page, 1) * exact[j]) + tail,
            $"{TPrecision.Name}, {keys} keys, seed {seed}");
    }

    private static float[] Weights<TPrecision>(float[] scores, byte[] visible)
        where TPrecision : struct, IPrecision
    {
        float[] weights = new float[scores.Length];
        Softmax.Vectorised<TPrecision>(scores, visible, weights);
        return weights;
    }
}
