// Red here: training through the softmax pushes the wrong logits, forgets the temperature or depends on the threads.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class TokenLogProbabilityBackward
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ProbabilitiesAndTemperatureByHand(ExecutionEngine engine)
    {
        // At T = 2 the weights of (0, 2·ln 2, 2·ln 5) are 1 : 2 : 5.
        float[] logits = [0f, 2 * MathF.Log(2f), 2 * MathF.Log(5f)], y = new float[1], gradient = new float[3];
        TokenLogProbability.Apply(engine, logits, [1], 2f, y);
        Check.Within(y, [Math.Log(0.25)], _ => 3e-7, "log-probability at T = 2");
        TokenLogProbability.Backward(engine, logits, [1], 2f, [3f], gradient);
        Check.Within(
            gradient, [-3 / 8.0 / 2, 3 * (1 - (2 / 8.0)) / 2, -3 * (5 / 8.0) / 2], _ => 5e-7, "gradient at T = 2");
    }

    [Fact]
    public void ErrorsAreWithinThePagesBoundAndSlopesMatch()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            int vocabulary = 1 + (seed * 37), token = seed * 5 % vocabulary;
            float temperature = seed % 2 == 0 ? 1f : 0.7f;
            float[] logits = TestValues.Spread(vocabulary, seed, binades: 3), gradient = new float[vocabulary];
            double[] wide = TestValues.Wide(logits), exact = new double[vocabulary];
            TokenLogProbability.Backward(ExecutionEngine.Vector512, logits, [token], temperature, [1.5f], gradient);
            TokenLogProbability.ExactBackward(wide, token, temperature, 1.5, exact);
            double spread = 2 * (wide.Max() - wide.Min()) / temperature;
            double units = (2 * spread) + Math.Ceiling(vocabulary / 32.0) + 16;

            // 1 − p cancels where p is near 1, so the token's own entry is measured against 1.
            Check.Within(
                gradient,
                exact,
                v => units * Check.FloatUnit * (v == token ? 1.5 / temperature : Math.Abs(exact[v])),
                $"seed {seed}");
            for (int v = 0; v < vocabulary; v += 11)
            {
                const double Step = 1e-6;
                double centre = wide[v];
                wide[v] = centre + Step;
                double up = TokenLogProbability.Exact(wide, token, temperature);
                wide[v] = centre - Step;
                double down = TokenLogProbability.Exact(wide, token, temperature);
                wide[v] = centre;
                Assert.Equal(1.5 * (up - down) / (2 * Step), exact[v], 1e-7);
            }
        }
    }

    [Fact]
    public void EnginesThreadsAndTheBufferInPlaceHaveTheSameBits()
    {
        for (int vocabulary = 1; vocabulary <= 80; vocabulary += 3)
        {
            float[] logits = TestValues.Spread(5 * vocabulary, vocabulary, binades: 5);
            long[] tokens = [.. Enumerable.Range(0, 5).Select(t => (long)(t * 3 % vocabulary))];
            float[] upstream = [1f, -0.5f, 0f, 1e-3f, 2f];
            logits[2 * vocabulary] = float.NaN; // behind a zero gradient, so never looked at
            float[] expected = new float[5 * vocabulary], actual = new float[5 * vocabulary];
            TokenLogProbability.Backward(ExecutionEngine.Scalar, logits, tokens, 1.3f, upstream, expected);
            TokenLogProbability.Backward(ExecutionEngine.Vector512, logits, tokens, 1.3f, upstream, actual);
            Check.SameBits(expected, actual, $"vocabulary {vocabulary}");
            Check.SameBits(new float[vocabulary], actual.AsSpan(2 * vocabulary, vocabulary), "zero upstream");
            float[] y = new float[5], vectors = new float[5];
            TokenLogProbability.Apply(ExecutionEngine.Scalar, logits, tokens, 1.3f, y);
            TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, tokens, 1.3f, vectors);
            Check.SameBits(y, vectors, $"values, vocabulary {vocabulary}");
            using WorkerPool workers = new(3);
            float[] inPlace = [.. logits];
            TokenLogProbability.Backward(
                ExecutionEngine.Vector512, inPlace, tokens, 1.3f, upstream, inPlace, workers);
            Check.SameBits(expected, inPlace, $"in place, vocabulary {vocabulary}");
        }
    }

    [Fact]
    public void TemperatureOneHasTheBitsOfThePlainOperatorAndImpossibleOnesAreRefused()
    {
        float[] logits = TestValues.Spread(100, 1), y = new float[2], plain = new float[2];
        TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, [3, 4], 1f, y);
        TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, [3, 4], plain);
        Check.SameBits(plain, y, "T = 1");
        foreach (float temperature in new float[] { 0f, -1f, float.NaN, float.PositiveInfinity })
        {
            Assert.Throws<ArgumentOutOfRangeException>(
                () => TokenLogProbability.Apply(ExecutionEngine.Scalar, logits, [3, 4], temperature, y));
        }

        Assert.Throws<ArgumentOutOfRangeException>(
            () => TokenLogProbability.Backward(ExecutionEngine.Scalar, [1f, 2f], [2], 1f, [1f], new float[2]));
    }
}
