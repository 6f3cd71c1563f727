// Red means: a request that has no meaning is run, or a context grows beyond what the model was trained on.
using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class RequestTests : IDisposable
{
    private readonly WorkerPool workers = new(1);
    private readonly ModelConfiguration configuration =
        Engines.Small(("eos_token_id", 3), ("max_position_embeddings", 40));

    public static TheoryData<string, GenerationRequest> Wrong => new()
    {
        { "prompt", new([]) },
        { "prompt", new([-1]) },
        { "prompt", new([23]) },
        { "prompt", new([.. Enumerable.Repeat(1, 40)]) },
        { "temperature", Of(new() { Temperature = -0.1f }) },
        { "temperature", Of(new() { Temperature = float.NaN }) },
        { "temperature", Of(new() { Temperature = float.PositiveInfinity }) },
        { "top_k", Of(new() { TopK = -2 }) },
        { "top_p", Of(new() { TopP = 0 }) },
        { "top_p", Of(new() { TopP = 1.01f }) },
        { "top_p", Of(new() { TopP = float.NaN }) },
        { "min_p", Of(new() { MinP = -1 }) },
        { "repetition_penalty", Of(new() { RepetitionPenalty = 0 }) },
        { "presence_penalty", Of(new() { PresencePenalty = 2.1f }) },
        { "frequency_penalty", Of(new() { FrequencyPenalty = float.NaN }) },
        { "max_tokens", Of(new() { MaxTokens = 0 }) },
        { "stop", Of(new() { StopStrings = ["x"] }) },
        { "stop", Of(new() { StopStrings = [""] }) },
        { "stop_token_ids", Of(new() { StopTokenIds = [23] }) },
        { "logprobs", Of(new()) with { LogProbabilityCount = -2 } },
        { "logprobs", Of(new()) with { LogProbabilityCount = 24 } },
        { "prompt_logprobs", Of(new()) with { PromptLogProbabilityCount = 24 } },
        { "speculative_tokens", Of(new()) with { SpeculativeTokens = -1 } },
    };

    public void Dispose() => workers.Dispose();

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task What_has_no_meaning_is_refused_by_name(string place, GenerationRequest request)
    {
        await using GenerationEngine engine = Engines.Start(configuration, workers);
        InvalidInputException refused = Assert.Throws<InvalidInputException>(() => engine.TryGenerate([request]));
        Assert.Equal((place, true), (refused.Place, refused.IsSetting));
        Assert.StartsWith($"request: {place}: ", refused.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), engine.Load);
    }

    [Fact]
    public async Task Drafts_need_an_MTP_layer()
    {
        ModelConfiguration plain = Engines.Small(("num_nextn_predict_layers", 0));
        await using GenerationEngine engine = Engines.Start(plain, workers);
        Assert.Equal("speculative_tokens", Assert.Throws<InvalidInputException>(
            () => engine.TryGenerate([Of(new()) with { SpeculativeTokens = 1 }])).Place);
    }

    [Fact]
    public async Task The_context_is_a_hard_limit_and_needs_YaRN_beyond_the_trained_one()
    {
        SamplingOptions endless = SamplingOptions.Greedy with { IgnoreEndOfSequence = true };
        await using (GenerationEngine engine = Engines.Start(configuration, workers))
        {
            Output output = await engine.Run(new GenerationRequest([1, 2]) { Sampling = endless });
            Assert.Equal((38, FinishReason.Length), (output.Ids.Length, output.End.Reason));
            Assert.Contains("need YaRN", engine.ContextAdvice, StringComparison.Ordinal);
        }

        InvalidInputException refused = Assert.Throws<InvalidInputException>(
            () => Engines.Start(configuration, workers, limits: new() { ContextTokens = 41 }));
        Assert.Contains("trained on 40 positions, more need YaRN", refused.Message, StringComparison.Ordinal);

        ModelConfiguration longer = ContextLength.WithYarn(configuration, 4);
        Assert.Equal(160, ContextLength.Of(longer));
        Assert.Contains("factor 4, original length 40", longer.Rotary.Describe(), StringComparison.Ordinal);
        await using GenerationEngine stretched = Engines.Start(longer, workers);
        Output far = await stretched.Run(
            new GenerationRequest([1, 2]) { Sampling = endless, SpeculativeTokens = 3 });
        Assert.Equal(158, far.Ids.Length);
        Assert.Throws<InvalidInputException>(() => ContextLength.WithYarn(longer, 2));
        Assert.Throws<InvalidInputException>(() => ContextLength.WithYarn(configuration, 1));
        Assert.Throws<InvalidInputException>(() => ContextLength.WithYarn(configuration, double.NaN));
    }

    [Fact]
    public async Task Every_end_is_told_apart()
    {
        await using GenerationEngine engine = Engines.Start(configuration, workers);
        GenerationRequest request = new([5, 6])
        {
            Sampling = SamplingOptions.Greedy with { IgnoreEndOfSequence = true },
        };
        int[] ids = (await engine.Run(request)).Ids;
        int third = ids[2];
        int before = Array.IndexOf(ids, third) + 1;
        Output stopped = await engine.Run(request with { Sampling = request.Sampling with { StopTokenIds = [third] } });
        Assert.Equal(ids[..before], stopped.Ids);
        Assert.Equal(
            (FinishReason.Stop, third, null),
            (stopped.End.Reason, stopped.End.StopTokenId, stopped.End.StopString));
        Output cut = await engine.Run(request with { Sampling = request.Sampling with { MaxTokens = 2 } });
        Assert.Equal((FinishReason.Length, null, 2, 2), (
            cut.End.Reason, cut.End.StopTokenId, cut.End.PromptTokens, cut.End.GeneratedTokens));
        await using GenerationEngine own = new(
            configuration,
            Model.TinyModels.Weights(configuration),
            new Reference.Model.Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
            new GenerationLimits(),
            endOfSequenceIds: [third]);
        Output ended = await own.Run(request with { Sampling = SamplingOptions.Greedy });
        Assert.Equal(ids[..before], ended.Ids);
        Assert.Equal((FinishReason.Stop, null), (ended.End.Reason, ended.End.StopTokenId));
    }

    [Fact]
    public void Every_listed_end_of_sequence_counts()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("generation_config.json");
        Assert.Equal([3], StopTokens.Of(folder.Path, configuration));
        File.WriteAllText(path, """{"eos_token_id": [7, 3, 9]}""");
        Assert.Equal([7, 3, 9], StopTokens.Of(folder.Path, configuration));
        File.WriteAllText(path, """{"eos_token_id": 8}""");
        Assert.Equal([8, 3], StopTokens.Of(folder.Path, configuration));
        foreach (string nothing in new[] { "{}", """{"eos_token_id": null}""" })
        {
            File.WriteAllText(path, nothing);
            Assert.Equal([3], StopTokens.Of(folder.Path, configuration));
        }

        string[] wrong =
        [
            "", "[]", """{"eos_token_id": -1}""", """{"eos_token_id": [1, "2"]}""", """{"eos_token_id": 1.5}""",
            """{"eos_token_id": 23}""", """{"eos_token_id": 1, "eos_token_id": 2}""",
        ];
        foreach (string text in wrong)
        {
            File.WriteAllText(path, text);
            string message =
                Assert.Throws<InvalidInputException>(() => StopTokens.Of(folder.Path, configuration)).Message;
            Assert.StartsWith(path, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_model_alone()
    {
        await using GenerationEngine engine = Engines.Start(configuration, workers);
        Output output = await engine.Run(new GenerationRequest([5, 6, 7])
        {
            Sampling = new() { Temperature = 0.5f, TopK = 3, RepetitionPenalty = 1.5f, Seed = 9, MaxTokens = 8 },
            LogProbabilityCount = -1,
            PromptLogProbabilityCount = 0,
        });
        TokenGenerated[] tokens = [.. output.Events.OfType<TokenGenerated>()];
        Assert.Equal(tokens.Length, output.Logits.Length);
        foreach ((TokenGenerated token, float[] logits) in tokens.Zip(output.Logits))
        {
            double largest = logits.Max();
            double normaliser = largest + Math.Log(logits.Sum(logit => Math.Exp(logit - largest)));
            Assert.Equal(23, token.Score!.Top.Count);
            Assert.Equal(token.Score.Token, token.Score.Top[token.Score.Token.Rank - 1]);
            Assert.All(token.Score.Top, other =>
                Assert.Equal(logits[other.Id] - normaliser, other.LogProbability, 1e-5));
            Assert.Equal(
                Enumerable.Range(0, 23).OrderByDescending(id => logits[id]).ThenBy(id => id),
                token.Score.Top.Select(other => other.Id));
        }

        PromptScored prompt = output.Events.OfType<PromptScored>().Single();
        Assert.Equal([0, 6, 7], prompt.Tokens.Select(score => score?.Token.Id ?? 0));
        Assert.Empty(prompt.Tokens[1]!.Top);
        Assert.True(output.Events.ToList().IndexOf(prompt) < output.Events.ToList().IndexOf(tokens[0]));
    }

    [Fact]
    public async Task A_draw_depends_on_seed_and_position_only()
    {
        await using GenerationEngine engine = Engines.Start(configuration, workers);
        GenerationRequest request = new([5, 6, 7]) { Sampling = new() { Seed = 4, IgnoreEndOfSequence = true } };
        int[] whole = (await engine.Run(request)).Ids;
        int[] again = (await engine.Run(request with { PromptIds = [5, 6, 7, .. whole[..10]] })).Ids;
        Assert.Equal(whole[10..], again);
        Assert.NotEqual(whole, (await engine.Run(request with { Sampling = request.Sampling with { Seed = 5 } })).Ids);
    }

    private static GenerationRequest Of(SamplingOptions sampling) => new([1]) { Sampling = sampling };
}
