using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>
/// How tokens are chosen and when to stop. The defaults change nothing about the model's distribution. README.md of
/// this folder defines each setting; names in messages are those of vLLM's JSON.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>The most likely token, always.</summary>
    public static SamplingOptions Greedy { get; } = new() { Temperature = 0 };

    /// <summary>Divides the logits; 0 takes the most likely token, of equal ones that with the smallest id.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the k largest logits and those equal to the smallest of them; 0 or −1 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the most likely tokens before whom less than this mass lies, (0, 1]; 1 keeps all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps tokens at least this times as likely as the most likely one, [0, 1]; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in prompt or output; 1 for none.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Is subtracted once from the logits of tokens in the output; 0 for none.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Is subtracted from a token's logit as often as it stands in the output; 0 for none.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Fixes every draw: a token depends on the seed and its position, and on nothing else.</summary>
    public ulong Seed { get; init; }

    /// <summary>Texts that end the output; they are cut off it. They need a tokenizer.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Tokens that end the output, beside the model's own.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Whether the model's own end-of-sequence tokens do not end the output.</summary>
    public bool IgnoreEndOfSequence { get; init; }

    /// <summary>The most tokens to generate; null for as many as the context has room for.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Refuses what has no meaning.</summary>
    /// <exception cref="InvalidInputException">A setting is out of range; its place is the name in JSON.</exception>
    internal void Check()
    {
        Require(float.IsFinite(Temperature) && Temperature >= 0, "temperature", "must be 0 or more");
        Require(TopK >= -1, "top_k", "must be -1, 0 or more");
        Require(TopP > 0 && TopP <= 1, "top_p", "must be above 0 and at most 1");
        Require(MinP >= 0 && MinP <= 1, "min_p", "must be 0 to 1");
        Require(
            float.IsFinite(RepetitionPenalty) && RepetitionPenalty > 0, "repetition_penalty", "must be above 0");
        Require(PresencePenalty >= -2 && PresencePenalty <= 2, "presence_penalty", "must be -2 to 2");
        Require(FrequencyPenalty >= -2 && FrequencyPenalty <= 2, "frequency_penalty", "must be -2 to 2");
        Require(MaxTokens is null or >= 1, "max_tokens", "must be 1 or more");
        foreach (string stop in StopStrings)
        {
            Require(stop.Length > 0, "stop", "must not be empty");
        }
    }

    private static void Require(bool holds, string place, string rule)
    {
        if (!holds)
        {
            throw new InvalidInputException(GenerationRequest.SourceName, place, rule) { IsSetting = true };
        }
    }
}
