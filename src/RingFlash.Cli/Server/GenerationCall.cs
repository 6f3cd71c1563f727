using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>A prompt: its text where one was given or asked for, and its tokens.</summary>
/// <param name="Text">The text; empty where nobody asks for it.</param>
/// <param name="Ids">[tokens].</param>
internal sealed record Prompt(string Text, IReadOnlyList<int> Ids);

/// <summary>A request that was read: prompts, and what is wanted of each.</summary>
/// <param name="Fields">What is wanted.</param>
/// <param name="Prompts">The prompts.</param>
internal sealed record GenerationCall(GenerationFields Fields, IReadOnlyList<Prompt> Prompts)
{
    /// <summary>The name of the prompt's field, for messages.</summary>
    public string PromptName { get; init; } = "prompt";

    /// <summary>Fields that neither OpenAI nor vLLM knows.</summary>
    public IReadOnlyList<string> IgnoredFields { get; init; } = [];

    /// <summary>Whether the prompt's text is told, as vLLM's <c>prompt_text</c>.</summary>
    public bool ReturnPromptText { get; init; }

    /// <summary>Whether reasoning is told, where it is told apart.</summary>
    public bool IncludeReasoning { get; init; } = true;

    /// <summary>The prompt of an answer.</summary>
    /// <param name="index">The answer: all of the first prompt's come first.</param>
    /// <returns>The prompt.</returns>
    public Prompt PromptOf(int index) => Prompts[index / Fields.Count];

    /// <summary>What the engine is asked.</summary>
    /// <param name="model">Who is asked.</param>
    /// <returns>A request for each answer.</returns>
    /// <exception cref="InvalidInputException">It is more than the model or the server can do.</exception>
    public IReadOnlyList<GenerationRequest> Requests(ServedModel model)
    {
        if ((long)Prompts.Count * Fields.Count > model.Capacity)
        {
            bool promptsAlone = Prompts.Count > model.Capacity;
            throw Refuse(
                promptsAlone ? PromptName : "n",
                $"{Prompts.Count} prompts of {Fields.Count} answers each are more than the {model.Capacity} that this "
                + "server takes on at once; serve --running and --waiting raise it");
        }

        return [.. Enumerable.Range(0, Prompts.Count * Fields.Count).Select(index => Request(index, model.Engine))];
    }

    private GenerationRequest Request(int index, GenerationEngine engine)
    {
        Prompt prompt = PromptOf(index);
        int room = engine.ContextLimit - prompt.Ids.Count;
        if (room < 1)
        {
            throw Refuse(
                PromptName,
                $"has {prompt.Ids.Count} tokens; the context of {engine.ContextLimit} leaves no room for another");
        }

        if (Fields.MaxTokens > room)
        {
            throw Refuse(
                Fields.MaxTokensName,
                $"{Fields.MaxTokens} behind a prompt of {prompt.Ids.Count} tokens are more than the context of "
                + $"{engine.ContextLimit} has room for");
        }

        return new GenerationRequest(prompt.Ids)
        {
            Sampling = Fields.Sampling with
            {
                // vLLM's rule for n: the seeds count up.
                Seed = unchecked(Fields.Sampling.Seed + (ulong)(index % Fields.Count)),
                MaxTokens = Fields.IsEchoOnly ? 1 : Fields.MaxTokens,
            },
            LogProbabilityCount = Fields.TopCount,
            PromptLogProbabilityCount = Fields.PromptTopCount ?? (Fields.Echo ? Fields.TopCount : null),
            RoutedExperts = Fields.RoutedExperts,
            SkipSpecialTokens = Fields.SkipSpecialTokens,
        };
    }

    private static InvalidInputException Refuse(string field, string rule) =>
        new(RequestFields.SourceName, field, rule);
}
