// Red means: generation on a device chooses other tokens than on the CPU, or its cache passes through the host.
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Devices;
using RingFlash.Reference.Tests.Model;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class DeviceGeneration(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Fact]
    public async Task Several_sequences_get_the_tokens_and_logits_of_vector512()
    {
        ModelConfiguration configuration = Engines.Small();
        using WorkerPool workers = new(1);
        GenerationRequest[] requests =
        [
            Request(7, tokens: 6, drafts: 0),
            Request(1, tokens: 4, drafts: 2),
            Request(3, tokens: 5, drafts: 0) with { PromptLogProbabilityCount = 2 },
        ];
        GenerationLimits limits = new() { PromptTokensPerPass = 4 };
        await using GenerationEngine cpu = Engines.Start(configuration, workers, limits: limits);
        await using GenerationEngine card =
            Engines.Start(configuration, workers, limits: limits, operators: On(device.OneWarp, workers));
        Output[] expected = await cpu.Run(requests), actual = await card.Run(requests);
        foreach ((Output left, Output right) in expected.Zip(actual))
        {
            Assert.Equal(left.Ids, right.Ids);
            Assert.Equal(left.Logits.Length, right.Logits.Length);
            foreach ((float[] one, float[] other) in left.Logits.Zip(right.Logits))
            {
                Runs.AssertSameBits("logits", one, other);
            }

            Assert.Equal(Scores(left), Scores(right));
        }

        Assert.Equal(
            Assert.Single(expected[2].Events.OfType<PromptScored>()).Tokens.Skip(1).Select(token => token!.Token),
            Assert.Single(actual[2].Events.OfType<PromptScored>()).Tokens.Skip(1).Select(token => token!.Token));

        GenerationRequest Request(int prompt, int tokens, int drafts) => new(Engines.Prompt(configuration, prompt))
        {
            Sampling = SamplingOptions.Greedy with { MaxTokens = tokens, IgnoreEndOfSequence = true },
            SpeculativeTokens = drafts,
            LogProbabilityCount = 3,
        };
    }

    /// <summary>
    /// Up: the token, its cosines and its sines, before anything is launched. Down: its logits, the one time that the
    /// host waits. A cache that grows (here from 65 tokens) is copied on the device; freeing the old room waits too.
    /// </summary>
    [Fact]
    public async Task A_token_costs_one_wait_and_one_copy_to_the_host_also_when_the_cache_grows()
    {
        const int Tokens = 67, Room = 65;
        ModelConfiguration configuration = Engines.Small();
        using WorkerPool workers = new(1);
        KernelHost host = device.OneWarp;
        DeviceOperators<Float32Precision> operators = On(host, workers);
        ModelWeights weights = TinyModels.Weights(configuration, 11);
        operators.Prepare(weights); // else a router's choice is fetched until all experts are there
        await using GenerationEngine engine = new(configuration, weights, operators, new GenerationLimits());
        List<(long Up, long Down, long Waits)> counts = [];
        List<GenerationEvent> events = await Engines.Read(engine.Generate(
            new GenerationRequest(Engines.Prompt(configuration, 1))
            {
                Sampling = SamplingOptions.Greedy with { MaxTokens = Tokens, IgnoreEndOfSequence = true },
                LogitsSeen = (_, _) => counts.Add((host.Uploads, host.Downloads, host.Waits)),
            }));
        Assert.Equal(Tokens, Assert.IsType<GenerationFinished>(events[^1]).GeneratedTokens);
        Assert.Equal(Tokens, counts.Count);
        int tensors = 2 * (configuration.LayerCount + configuration.NextTokenPredictionLayerCount);
        for (int token = 1; token < Tokens; token++)
        {
            (long up, long down, long waits) = counts[token];
            bool grows = token == Room; // token 65 finds 65 in the cache
            Assert.Equal(counts[token - 1].Down + 1, down);
            Assert.Equal(counts[token - 1].Up + 3, up);
            Assert.InRange(waits - counts[token - 1].Waits, 1, grows ? 1 + tensors : 1);
        }
    }

    private static DeviceOperators<Float32Precision> On(KernelHost host, WorkerPool workers) => new(host, workers);

    private static IEnumerable<ScoredToken> Scores(Output output) =>
        output.Events.OfType<TokenGenerated>().SelectMany(token => token.Score!.Top.Prepend(token.Score.Token));
}
