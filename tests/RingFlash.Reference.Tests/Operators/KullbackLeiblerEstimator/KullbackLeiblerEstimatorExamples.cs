// Red here: the divergence from the reference policy is estimated or differentiated wrongly, most likely near zero.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class KullbackLeiblerEstimatorExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ValuesAndDerivativesByHand(ExecutionEngine engine)
    {
        float[] current = [.. Enumerable.Repeat(-1f, 18)], reference = [.. Enumerable.Repeat(-3f, 18)];
        (KullbackLeiblerKind, double, double)[] expected =
        [
            (KullbackLeiblerKind.K1, 2, 1), (KullbackLeiblerKind.K2, 2, 2),
            (KullbackLeiblerKind.K3, Math.Exp(-2) + 1, 1 - Math.Exp(-2)),
        ];
        foreach ((KullbackLeiblerKind kind, double value, double derivative) in expected)
        {
            float[] y = new float[18], gradient = new float[18];
            KullbackLeiblerEstimator.Apply(engine, kind, current, reference, y);
            KullbackLeiblerEstimator.Backward(engine, kind, current, reference, gradient);
            Check.Within(y, [.. Enumerable.Repeat(value, 18)], _ => 3e-7, $"{kind}");
            Check.Within(gradient, [.. Enumerable.Repeat(derivative, 18)], _ => 3e-7, $"{kind} derivative");
        }
    }

    [Fact]
    public void TheThirdIsAccurateNearZeroAndNeverNegative()
    {
        for (int power = -40; power <= 2; power++)
        {
            double d = Math.ScaleB(1, power);
            double[] y = new double[2], gradient = new double[2];
            KullbackLeiblerEstimator.Exact(KullbackLeiblerKind.K3, [d, -d], [0, 0], y);
            KullbackLeiblerEstimator.ExactBackward(KullbackLeiblerKind.K3, [d, -d], [0, 0], gradient);
            decimal x = (decimal)d, series = 0, term = 1;
            for (int n = 1; n < 60; n++)
            {
                term *= -x / n;
                series += n >= 2 ? term : 0;
            }

            if (power > -12) // below, decimal's 28 digits run out
            {
                Assert.Equal((double)series, y[0], (double)series * 4e-16);
            }

            Assert.Equal(d * d / 2, y[0], d * d * d);
            Assert.Equal(d, gradient[0], d * d);
            Assert.True(y[0] > 0 && y[1] > 0);
        }

        double[] zero = new double[1];
        KullbackLeiblerEstimator.Exact(KullbackLeiblerKind.K3, [-1], [-1], zero);
        Assert.Equal(0, zero[0]);
    }

    [Fact]
    public void ScalarEqualsVectorisedAndErrorsAreWithinThePagesBound()
    {
        foreach (KullbackLeiblerKind kind in Enum.GetValues<KullbackLeiblerKind>())
        {
            for (int length = 0; length <= 70; length++)
            {
                float[] a = TestValues.WithSpecials<Float32Precision>(length, length), b = new float[length];
                float[] expected = new float[length], actual = new float[length];
                KullbackLeiblerEstimator.Scalar(kind, a, b, expected);
                KullbackLeiblerEstimator.Vectorised(kind, a, b, actual);
                Check.SameBits(expected, actual, $"{kind}, length {length}");
                KullbackLeiblerEstimator.Backward(ExecutionEngine.Scalar, kind, a, b, expected);
                KullbackLeiblerEstimator.Backward(ExecutionEngine.Vector512, kind, a, b, actual);
                Check.SameBits(expected, actual, $"{kind} derivative, length {length}");
            }

            // Against zero the difference is exact, so what remains is the page's 8·u.
            float[] values = TestValues.Spread(4000, 5, binades: 5), zeros = new float[4000], y = new float[4000];
            double[] exact = new double[4000], wide = TestValues.Wide(values);
            KullbackLeiblerEstimator.Apply(ExecutionEngine.Vector512, kind, values, zeros, y);
            KullbackLeiblerEstimator.Exact(kind, wide, new double[4000], exact);
            Check.Within(y, exact, i => 8 * Check.FloatUnit * Math.Abs(exact[i]), kind.ToString());
            KullbackLeiblerEstimator.Backward(ExecutionEngine.Vector512, kind, values, zeros, y);
            KullbackLeiblerEstimator.ExactBackward(kind, wide, new double[4000], exact);
            Check.Within(y, exact, i => 8 * Check.FloatUnit * Math.Abs(exact[i]), kind + " derivative");
        }
    }
}
