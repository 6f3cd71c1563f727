using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>One prompt and what is wanted of it.</summary>
/// <param name="PromptIds">[tokens], at least one.</param>
public sealed record GenerationRequest(IReadOnlyList<int> PromptIds)
{
    /// <summary>What messages about a request begin with.</summary>
    internal const string SourceName = "request";

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>
    /// How many of the most likely tokens are told with each generated one: 0 tells the generated one alone, −1 the
    /// whole vocabulary, null nothing.
    /// </summary>
    public int? LogProbabilityCount { get; init; }

    /// <summary>The same for the tokens of the prompt.</summary>
    public int? PromptLogProbabilityCount { get; init; }

    /// <summary>Whether the experts that each token was routed to are told.</summary>
    public bool RoutedExperts { get; init; }

    /// <summary>How many tokens the MTP layer drafts ahead; 0 to decode without it.</summary>
    public int SpeculativeTokens { get; init; }

    /// <summary>Whether special tokens such as the end of the sequence are left out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Shown the logits that each generated token was chosen by; for tests.</summary>
    internal Action<int, ReadOnlySpan<float>>? LogitsSeen { get; init; }

    /// <summary>Refuses what the model cannot do.</summary>
    /// <param name="engine">Who is asked.</param>
    /// <exception cref="InvalidInputException">The place is the name in vLLM's JSON.</exception>
    internal void Check(GenerationEngine engine)
    {
        int vocabulary = engine.Configuration.VocabularySize;
        Require(PromptIds.Count > 0, "prompt", "is empty");
        foreach (int id in PromptIds)
        {
            Require(id >= 0 && id < vocabulary, "prompt", $"token {id} is not in the vocabulary of {vocabulary}");
        }

        Require(
            PromptIds.Count < engine.ContextLimit,
            "prompt",
            $"has {PromptIds.Count} tokens; the context of {engine.ContextLimit} leaves no room for another"
            + engine.ContextAdvice);
        Sampling.Check();
        foreach (int id in Sampling.StopTokenIds)
        {
            Require(
                id >= 0 && id < vocabulary, "stop_token_ids", $"token {id} is not in the vocabulary of {vocabulary}");
        }

        Require(
            Sampling.StopStrings.Count == 0 || engine.Tokenizer is not null, "stop", "needs the model's tokenizer");
        RequireCount(LogProbabilityCount, "logprobs");
        RequireCount(PromptLogProbabilityCount, "prompt_logprobs");
        Require(SpeculativeTokens >= 0, "speculative_tokens", "must be 0 or more");
        Require(
            SpeculativeTokens == 0 || engine.Configuration.NextTokenPredictionLayerCount > 0,
            "speculative_tokens",
            "needs a model with an MTP layer (num_nextn_predict_layers 1); Ring-flash-2.0 was published without one");

        void RequireCount(int? count, string place) => Require(
            count is null || (count >= -1 && count <= vocabulary), place, $"must be -1, or 0 to {vocabulary}");
    }

    private static void Require(bool holds, string place, string rule)
    {
        if (!holds)
        {
            throw new InvalidInputException(SourceName, place, rule) { IsSetting = true };
        }
    }
}
