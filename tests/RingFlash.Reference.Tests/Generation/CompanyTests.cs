// Red means: what a request gets depends on who else is computed with it, on how its prompt is cut, or on the cache.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Model;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class CompanyTests
{
    private const int Tokens = 12;

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.8, false)]
    [InlineData(0.8, true)]
    public async Task Ten_batches_of_different_company_give_the_same_bits(float temperature, bool speculates)
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        GenerationRequest request = new(Engines.Prompt(configuration, 37))
        {
            Sampling = new() { Temperature = temperature, Seed = 3, MaxTokens = Tokens, RepetitionPenalty = 1.1f },
            SpeculativeTokens = speculates ? 2 : 0,
            LogProbabilityCount = 5,
            PromptLogProbabilityCount = 2,
            RoutedExperts = true,
        };
        await using GenerationEngine alone = Engines.Start(configuration, workers);
        Output expected = await alone.Run(request);
        Assert.Equal(Tokens, expected.Ids.Length);
        for (int batch = 1; batch <= 10; batch++)
        {
            GenerationLimits limits = new() { RunningRequests = 1 + batch, PromptTokensPerPass = 3 + (9 * batch) };
            using WorkerPool others = new(1 + (batch % 3));
            await using GenerationEngine engine = Engines.Start(configuration, others, limits: limits);
            GenerationRequest[] company = [.. Enumerable.Range(0, batch).Select(index => new GenerationRequest(
                Engines.Prompt(configuration, 1 + (((17 * index) + (5 * batch)) % 60), (ulong)(batch + index)))
            {
                Sampling = new() { Seed = (ulong)index, MaxTokens = 1 + ((7 * index) % 20), TopP = 0.9f },
                SpeculativeTokens = index % 3,
            })];
            int place = batch % (batch + 1) / 2;
            List<GenerationRequest> all = [.. company];
            all.Insert(place, request);
            Output actual = (await engine.Run(all))[place];
            Assert.Equal(expected.Ids, actual.Ids);
            AssertSameLogits(expected, actual);
            AssertSameEvents(expected, actual);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(36)]
    [InlineData(256)]
    public async Task Greedy_tokens_are_those_of_the_plain_forward_pass(int chunk)
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(2);
        int[] prompt = Engines.Prompt(configuration, 150);
        await using GenerationEngine engine =
            Engines.Start(configuration, workers, limits: new() { PromptTokensPerPass = chunk });
        Output output = await engine.Run(
            new GenerationRequest(prompt) { Sampling = SamplingOptions.Greedy with { MaxTokens = Tokens } });

        // No cache, no batch, nothing shared: the whole sequence once.
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Scalar, workers));
        long[] whole = [.. prompt.Concat(output.Ids).Select(id => (long)id)];
        HostTensor<float> logits = model.Forward(new ForwardInput(whole, 1)).Logits;
        for (int token = 0; token < Tokens; token++)
        {
            Span<float> row = logits.Row(prompt.Length - 1 + token);
            Runs.AssertSameBits($"token {token}", row, output.Logits[token]);
            Assert.Equal(row.IndexOf(row.ToArray().Max()), output.Ids[token]);
        }
    }

    private static void AssertSameLogits(Output expected, Output actual)
    {
        Assert.Equal(expected.Logits.Length, actual.Logits.Length);
        foreach ((float[] left, float[] right) in expected.Logits.Zip(actual.Logits))
        {
            Runs.AssertSameBits("logits", left, right);
        }
    }

    private static void AssertSameEvents(Output expected, Output actual)
    {
        PromptScored left = expected.Events.OfType<PromptScored>().Single();
        PromptScored right = actual.Events.OfType<PromptScored>().Single();
        Assert.Equal(37, right.Tokens.Count);
        Assert.Null(right.Tokens[0]);
        Assert.Equal(left.Tokens.Skip(1).Select(score => score!.Token), right.Tokens.Skip(1).Select(s => s!.Token));
        Assert.Equal(
            left.Tokens.Skip(1).SelectMany(score => score!.Top), right.Tokens.Skip(1).SelectMany(s => s!.Top));
        Assert.Equal(
            expected.Events.OfType<TokenGenerated>().SelectMany(token => token.Score!.Top),
            actual.Events.OfType<TokenGenerated>().SelectMany(token => token.Score!.Top));
        Assert.Equal(expected.End.RoutedExperts!.Indices, actual.End.RoutedExperts!.Indices);
        Assert.Equal((37 + Tokens - 1) * 2 * 3, actual.End.RoutedExperts.Indices.Count);
        Assert.Equal(expected.End.Speculation?.Accepted, actual.End.Speculation?.Accepted);
    }
}
