// Red means: speculation changes what is generated, or its statistics are wrong.
using System;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
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

    /// <summary>The same text does not prove that the drafts are the MTP layer's; how many stand does.</summary>
    [Fact]
    public async Task Drafts_are_those_of_the_layer_computed_anew_for_every_round()
    {
        const int Drafts = 3;
        using WorkerPool workers = new(1);
        int[] all = new int[Drafts];
        for (ulong seed = 0; seed < 30; seed++)
        {
            ModelConfiguration configuration = Engines.Small(("vocab_size", 6));
            int[] prompt = Engines.Prompt(configuration, 2 + (int)(seed % 5), seed);
            Output output;
            await using (GenerationEngine engine = Engines.Start(configuration, workers, seed))
            {
                output = await engine.Run(new GenerationRequest(prompt)
                {
                    Sampling = SamplingOptions.Greedy with { MaxTokens = 40, IgnoreEndOfSequence = true },
                    SpeculativeTokens = Drafts,
                });
            }

            RingFlashModel<float> model = new(
                configuration,
                TinyModels.Weights(configuration, seed),
                new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
            long[] ids = [.. prompt.Concat(output.Ids).Select(id => (long)id)];
            int[] drafted = new int[Drafts], accepted = new int[Drafts];
            int passes = 0, known = prompt.Length + 1;
            while (known < ids.Length)
            {
                int wanted = Math.Min(Drafts, ids.Length - known - 1), standing = 0;
                long[] drafts = DraftAnew(configuration, model, ids[..known], wanted);
                while (standing < wanted)
                {
                    drafted[standing]++;
                    if (drafts[standing] != ids[known + standing])
                    {
                        break;
                    }

                    accepted[standing++]++;
                }

                passes++;
                known += standing + 1;
            }

            SpeculationStatistics statistics = output.End.Speculation!;
            Assert.Equal(passes, statistics.Passes);
            Assert.Equal(drafted, statistics.Drafted);
            Assert.Equal(accepted, statistics.Accepted);
            all = [.. all.Zip(accepted, (sum, count) => sum + count)];
        }

        Assert.All(all, count => Assert.InRange(count, 5, 1000)); // drafts of every place have stood
    }

    private static long[] DraftAnew(
        ModelConfiguration configuration, RingFlashModel<float> model, long[] known, int wanted)
    {
        HostTensor<float> fed = model.Forward(
            new ForwardInput(known[..^1], 1) { RunMultiToken = false }).HiddenStates;
        HostTensor<float> hidden = new(1, fed.Rows, fed.Width);
        fed.Span.CopyTo(hidden.Span);
        KeyValueCache<float> cache = new(configuration, 1, known.Length + wanted);
        long[] next = known[1..], drafts = new long[wanted];
        for (int place = 0; place < wanted; place++)
        {
            ForwardResult<float> result =
                model.ForwardMultiToken(new ForwardInput(next, 1), hidden, [new(next.Length, cache)]);
            Span<float> logits = result.Logits.Row(next.Length - 1);
            drafts[place] = logits.IndexOf(logits.ToArray().Max());
            hidden = new HostTensor<float>(1, 1, fed.Width);
            result.HiddenStates.Row(next.Length - 1).CopyTo(hidden.Span);
            next = [drafts[place]];
        }

        return drafts;
    }
}
