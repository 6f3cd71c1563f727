// Red means: tokens are drawn from another distribution than the page defines.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class TokenDistributionTests
{
    private const int Vocabulary = 40;

    [Fact]
    public void Every_setting_agrees_with_the_definition_in_float64()
    {
        int cases = 0, cut = 0;
        for (ulong seed = 0; seed < 400; seed++)
        {
            float[] logits = Logits(seed);
            SamplingOptions options = new()
            {
                Temperature = 0.3f + (0.2f * (seed % 7)),
                TopK = (int)(seed % 5 == 0 ? 0 : seed % 13),
                TopP = seed % 3 == 0 ? 1 : 0.05f + (0.09f * (seed % 11)),
                MinP = seed % 4 == 0 ? 0.03f * (seed % 9) : 0,
                RepetitionPenalty = seed % 2 == 0 ? 1 : 1.25f,
                PresencePenalty = seed % 6 == 0 ? 0.5f : 0,
                FrequencyPenalty = seed % 5 == 0 ? -0.25f : 0,
            };
            int[] prompt = [1, 2, 2, 30], output = [2, 5, 5, 7, 5];
            TokenHistory history = new(prompt);
            Array.ForEach(output, history.Add);
            history.Add(9);
            history.Remove(9);
            history.Add(7);
            history.Remove(7);
            TokenDistribution distribution = new(Vocabulary);
            distribution.Set(logits, history, options);
            double[] expected = Defined(logits, prompt, output, options);
            for (int id = 0; id < Vocabulary; id++)
            {
                Assert.Equal(expected[id] == 0, distribution.Probability(id) == 0);
                Assert.Equal(expected[id], distribution.Probability(id), 1e-6);
            }

            cases++;
            cut += expected.Contains(0) ? 1 : 0;
        }

        Assert.Equal(400, cases);
        Assert.InRange(cut, 100, 399);
    }

    [Fact]
    public void Greedy_takes_the_first_of_equal_ones()
    {
        float[] logits = [-1, 0f, 2, 2, -0f];
        Assert.Equal(2, Of(logits, SamplingOptions.Greedy).Draw(0.999));
        Assert.Equal(1, Of([-1, -0f, 0f], SamplingOptions.Greedy).Draw(0.5));
        TokenHistory history = new([2]);
        TokenDistribution distribution = new(5);
        distribution.Set(logits, history, SamplingOptions.Greedy with { RepetitionPenalty = 1.1f });
        Assert.Equal(3, distribution.Draw(0));
    }

    [Fact]
    public void Equal_logits_stay_together_in_top_k_and_part_by_id_in_top_p()
    {
        float[] logits = [0, 3, 3, 3, 1];
        Assert.Equal([1, 2, 3], Kept(logits, new() { TopK = 2 }));
        Assert.Equal([1], Kept(logits, new() { TopP = 0.3f }));
        Assert.Equal([1, 2], Kept(logits, new() { TopP = 0.33f }));
        Assert.Equal([1, 2, 3], Kept(logits, new() { TopP = 0.9f, TopK = 4 }));
        Assert.Equal([1, 2, 3, 4], Kept(logits, new() { MinP = MathF.Exp(-2.0001f) }));
        Assert.Equal([1, 2, 3], Kept(logits, new() { MinP = MathF.Exp(-1.9999f) }));
        Assert.Equal([1, 2, 3], Kept(logits, new() { MinP = 1 }));
        Assert.Equal([0, 1, 2, 3, 4], Kept(logits, new() { TopK = -1 }));
        Assert.Equal([1], Kept(logits, new() { TopP = 1e-9f }));
    }

    [Fact]
    public void Extreme_temperatures_and_logits_have_no_surprise()
    {
        Assert.Equal([1], Kept([-1e30f, 3e38f, -3e38f], new() { Temperature = 1e-38f }));
        Assert.Equal(1.0 / 3, Of([1, 2, 3], new() { Temperature = 1e38f }).Probability(0), 1e-9);
        Assert.Equal([0, 2], Kept([0, float.NegativeInfinity, 0], new()));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Logits_that_are_no_numbers_are_refused(float bad)
    {
        Assert.Contains("logits", Assert.Throws<InvalidInputException>(() => Of([1, bad, 2], new())).Message);
        Assert.Throws<InvalidInputException>(
            () => Of([float.NegativeInfinity, float.NegativeInfinity], SamplingOptions.Greedy));
    }

    [Fact]
    public void Drawing_goes_by_rising_id()
    {
        TokenDistribution distribution = Of([MathF.Log(1), MathF.Log(2), MathF.Log(1)], new());
        Assert.Equal(0, distribution.Draw(0));
        Assert.Equal(0, distribution.Draw(0.2499));
        Assert.Equal(1, distribution.Draw(0.2501));
        Assert.Equal(1, distribution.Draw(0.7499));
        Assert.Equal(2, distribution.Draw(0.7501));
        Assert.Equal(2, distribution.Draw(1 - Math.Pow(2, -53)));
        Assert.Equal(1, Of([0, 5, 0], SamplingOptions.Greedy).Draw(1 - Math.Pow(2, -53)));
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        TokenDistribution distribution = Of(Logits(3)[..12], new() { Temperature = 1.3f });
        int[] counts = new int[12];
        const int Draws = 20_000;
        for (int position = 0; position < Draws; position++)
        {
            counts[distribution.Draw(Philox.Uniform(42, position, DrawPurpose.Token))]++;
        }

        double[] expected = [.. Enumerable.Range(0, 12).Select(id => Draws * distribution.Probability(id))];
        Assert.InRange(ChiSquare.Statistic(counts, expected), 0, ChiSquare.Critical(11));
        (counts[0], counts[1]) = (counts[0] + 300, counts[1] - 300);
        Assert.True(ChiSquare.Statistic(counts, expected) > ChiSquare.Critical(11));
    }

    /// <summary>The page, read aloud in float64.</summary>
    private static double[] Defined(float[] logits, int[] prompt, int[] output, SamplingOptions options)
    {
        double[] l = Array.ConvertAll(logits, value => (double)value);
        foreach (int id in prompt.Concat(output).Distinct())
        {
            l[id] = l[id] > 0 ? l[id] / options.RepetitionPenalty : l[id] * options.RepetitionPenalty;
        }

        foreach (int id in output)
        {
            l[id] -= options.FrequencyPenalty;
        }

        foreach (int id in output.Distinct())
        {
            l[id] -= options.PresencePenalty;
        }

        double maximum = l.Max();
        double[] weights = Array.ConvertAll(l, value => Math.Exp((value - maximum) / options.Temperature));
        List<int> kept = [.. Enumerable.Range(0, l.Length).OrderByDescending(id => l[id]).ThenBy(id => id)];
        if (options.TopK > 0)
        {
            double smallest = l[kept[Math.Min(options.TopK, kept.Count) - 1]];
            kept.RemoveAll(id => l[id] < smallest);
        }

        double all = kept.Sum(id => weights[id]), before = 0;
        List<int> inside = [];
        foreach (int id in kept)
        {
            if (options.TopP == 1 || before < options.TopP * all)
            {
                inside.Add(id);
            }

            before += weights[id];
        }

        inside.RemoveAll(id => weights[id] < options.MinP);
        double total = inside.Sum(id => weights[id]);
        return [.. Enumerable.Range(0, l.Length).Select(id => inside.Contains(id) ? weights[id] / total : 0)];
    }

    // Quarters, so that there are ties.
    private static float[] Logits(ulong seed) =>
        [.. Enumerable.Range(0, Vocabulary).Select(id => (SyntheticSource.InputId(seed, id, 33) / 4f) - 4)];

    private static TokenDistribution Of(float[] logits, SamplingOptions options)
    {
        TokenDistribution distribution = new(logits.Length);
        distribution.Set(logits, new TokenHistory([]), options);
        return distribution;
    }

    private static int[] Kept(float[] logits, SamplingOptions options)
    {
        TokenDistribution distribution = Of(logits, options);
        return [.. Enumerable.Range(0, logits.Length).Where(id => distribution.Probability(id) > 0)];
    }
}
