// Red means: sampling with speculation draws from another distribution than the model's.
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

public sealed class SpeculationDistribution
{
    private const int Vocabulary = 5;
    private const int Tokens = 3; // the first without, the others with a draft each
    private const int Draws = 6000;
    private static readonly int[] Prompt = [3, 0, 4];

    public static TheoryData<string, SamplingOptions> Settings => new()
    {
        { "plain", new() },
        { "warm, cut", new() { Temperature = 1.4f, TopP = 0.93f, MinP = 0.02f } },
        { "penalties", new() { PresencePenalty = 1.2f, RepetitionPenalty = 1.3f, TopK = 4 } },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task The_right_rule_keeps_the_distribution(string name, SamplingOptions options)
    {
        (double statistic, double critical, double acceptance) = await Measure(options, SpeculativeRule.Accepts);
        Assert.True(statistic < critical, $"{name}: {statistic} of {critical}");
        Assert.InRange(acceptance, 0.2, 0.95);
    }

    [Theory]
    [InlineData("always")]
    [InlineData("no division")]
    [InlineData("threshold")]
    public async Task A_wrong_rule_does_not(string rule)
    {
        Func<double, double, double, bool> wrong = rule switch
        {
            "always" => (_, _, _) => true,
            "no division" => (target, _, uniform) => uniform < target,
            _ => (target, draft, _) => target >= draft,
        };
        (double statistic, double critical, _) = await Measure(new(), wrong);
        Assert.True(statistic > 1.5 * critical, $"{rule}: {statistic} of {critical}");
    }

    private static async Task<(double Statistic, double Critical, double Acceptance)> Measure(
        SamplingOptions options, Func<double, double, double, bool> accepts)
    {
        ModelConfiguration configuration = Engines.Small(("vocab_size", Vocabulary));
        using WorkerPool workers = new(1);
        GenerationLimits limits = new() { RunningRequests = 40, WaitingRequests = Draws };
        await using GenerationEngine engine =
            Engines.Start(configuration, workers, seed: 2, limits: limits, accepts: accepts);
        Task<List<GenerationEvent>>[] readers =
        [
            .. engine.TryGenerate(
            [
                .. Enumerable.Range(0, Draws).Select(seed => new GenerationRequest(Prompt)
                {
                    Sampling = options with
                    {
                        Seed = (ulong)seed, MaxTokens = Tokens, IgnoreEndOfSequence = true,
                    },
                    SpeculativeTokens = 2,
                }),
            ])!.Select(Engines.Read),
        ];
        int[] counts = new int[(int)Math.Pow(Vocabulary, Tokens)];
        int drafted = 0, accepted = 0;
        foreach (List<GenerationEvent> events in await Task.WhenAll(readers))
        {
            int cell = 0;
            foreach (TokenGenerated token in events.OfType<TokenGenerated>())
            {
                cell = (cell * Vocabulary) + token.Id;
            }

            counts[cell]++;
            SpeculationStatistics statistics = ((GenerationFinished)events[^1]).Speculation!;
            drafted += statistics.Drafted.Sum();
            accepted += statistics.Accepted.Sum();
        }

        double[] expected = Expected(configuration, workers, options);
        Assert.Equal(Draws, expected.Sum(), 1e-6);
        return (
            ChiSquare.Statistic(counts, expected),
            ChiSquare.Critical(ChiSquare.DegreesOfFreedom(expected)),
            (double)accepted / drafted);
    }

    /// <summary>How often each output of three tokens is to come: the model's own probabilities, multiplied.</summary>
    private static double[] Expected(ModelConfiguration configuration, WorkerPool workers, SamplingOptions options)
    {
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration, 2),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        List<(int[] Output, double Count)> outputs = [([], Draws)];
        for (int token = 0; token < Tokens; token++)
        {
            outputs = [.. outputs.SelectMany(output =>
            {
                long[] ids = [.. Prompt.Concat(output.Output).Select(id => (long)id)];
                TokenHistory history = new(Prompt);
                Array.ForEach(output.Output, history.Add);
                TokenDistribution distribution = new(Vocabulary);
                distribution.Set(
                    model.Forward(new ForwardInput(ids, 1) { LastLogitsOnly = true }).Logits.Span, history, options);
                return Enumerable.Range(0, Vocabulary).Select(id =>
                    ((int[])[.. output.Output, id], output.Count * distribution.Probability(id)));
            })];
        }

        return [.. outputs.Select(output => output.Count)];
    }
}
