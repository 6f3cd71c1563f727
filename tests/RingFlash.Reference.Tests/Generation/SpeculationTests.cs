// Red means: speculation changes what is generated, or its statistics are wrong.
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Model;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class SpeculationTests
{
    [Fact]
    public async Task Greedy_with_speculation_equals_greedy_without_over_hundreds_of_models()
    {
        using WorkerPool workers = new(1);
        int models = 0, accepted = 0, verified = 0;
        for (ulong seed = 0; seed < 300; seed++)
        {
            int layers = 1 + (int)(seed % 3), drafts = 1 + (int)(seed % 4);
            ModelConfiguration configuration =
                Engines.Small(("num_hidden_layers", layers), ("vocab_size", seed % 2 == 0 ? 5 : 23));
            await using GenerationEngine engine = Engines.Start(configuration, workers, seed);
            GenerationRequest request = new(Engines.Prompt(configuration, 1 + (int)(seed % 11), seed))
            {
                Sampling = SamplingOptions.Greedy with
                {
                    MaxTokens = 10 + (int)(seed % 7),
                    RepetitionPenalty = seed % 5 == 0 ? 1.3f : 1,
                    FrequencyPenalty = seed % 7 == 0 ? 0.1f : 0,
                },
                RoutedExperts = true,
            };
            Output without = await engine.Run(request);
            Output with = await engine.Run(request with { SpeculativeTokens = drafts });
            Assert.Equal(without.Ids, with.Ids);
            Assert.Equal(without.Logits.Length, with.Logits.Length);
            foreach ((float[] left, float[] right) in without.Logits.Zip(with.Logits))
            {
                Runs.AssertSameBits($"model {seed}", left, right);
            }

            Assert.Equal(without.End.RoutedExperts!.Indices, with.End.RoutedExperts!.Indices);
            SpeculationStatistics statistics = with.End.Speculation!;
            Assert.Null(without.End.Speculation);
            Assert.Equal(with.Ids.Length - 1, statistics.Tokens);
            Assert.Equal(statistics.Tokens, statistics.Passes + statistics.Accepted.Sum());
            Assert.All(Enumerable.Range(1, drafts - 1), place =>
                Assert.InRange(statistics.Drafted[place], 0, statistics.Accepted[place - 1]));
            models++;
            accepted += statistics.Accepted.Sum();
            verified += statistics.Drafted.Sum();
        }

        Assert.Equal(300, models);
        Assert.InRange(accepted, 50, verified - 50); // both branches were taken
    }
}
