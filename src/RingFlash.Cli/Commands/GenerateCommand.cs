using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash generate</c>: continues prompts.</summary>
internal static class GenerateCommand
{
    // What SGLang drafts by itself for this architecture.
    private const int DefaultDrafts = 3;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Options options = new();
        ToolCommand command = new(
            "generate",
            "Continues prompts: greedily, or sampled with a seed. The same prompt gives the same tokens on every "
            + "machine, in any company. Tokens go to standard output as they come; what they cost is said on standard "
            + "error.",
            "ringflash generate Ring-mini-2.0 --prompt \"Give me a short introduction to large language models.\"",
            "ringflash generate Ring-mini-2.0 --messages chat.json --temperature 0.7 --top-p 0.8 --seed 1",
            "ringflash generate synthetic:ring-mini-2.0@7 --ids 1,2,3 --max-tokens 8 --logprobs 3 --json out.json",
            "ringflash generate Ling-mini-base-2.0 --prompt \"Once\" --speculative 2 --yarn 4");
        options.AddTo(command);
        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, context, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(
        Options options, ParseResult parsed, ToolContext context, CancellationToken cancellation)
    {
        string modelName = parsed.GetValue(options.Model)!;
        string? json = OutputFile.Check(parsed.GetValue(options.Json), "--json", context.CurrentDirectory, []);
        SamplingOptions sampling = Sampling(options, parsed);
        ExecutionEngine engine =
            EngineWords.ParseOne(parsed.GetValue(options.Engine)!, parsed.GetValue(options.MemoryLimit));
        long? memoryLimit = parsed.GetValue(options.MemoryLimit) is string size
            ? ByteSize.Parse(size, "--memory-limit")
            : null;
        ModelName model = ModelName.Open(modelName, context.CurrentDirectory);
        GenerationPrompt[] prompts;
        ModelTokenizer? tokenizer;
        try
        {
            tokenizer = GenerationModel.TokenizerOf(model);
            prompts = GenerationPrompt.Read(
                new PromptWords(
                    parsed.GetValue(options.Prompt) ?? [],
                    parsed.GetValue(options.Messages) ?? [],
                    parsed.GetValue(options.Ids) ?? [],
                    parsed.GetValue(options.Template) is string template ? TemplateName.Parse(template) : null,
                    parsed.GetValue(options.Plain)),
                model.Folder,
                tokenizer,
                context.CurrentDirectory);
        }
        catch
        {
            model.Dispose();
            throw;
        }

        GenerationLimits limits = new()
        {
            RunningRequests = prompts.Length,
            WaitingRequests = 0,
            ContextTokens = parsed.GetValue(options.Context),
        };
        GenerationSettings settings = new(
            parsed.GetValue(options.Precision)!, limits, parsed.GetValue(options.Yarn), memoryLimit)
        {
            Engine = engine,
            CachedTokens = prompts.Sum(prompt => (long)prompt.Ids.Count + sampling.MaxTokens!.Value),
        };
        await using GenerationModel running = GenerationModel.Start(model, settings, tokenizer);
        GenerationRequest[] requests = [.. prompts.Select(prompt => new GenerationRequest(prompt.Ids)
        {
            Sampling = sampling,
            LogProbabilityCount = parsed.GetValue(options.LogProbabilities),
            SpeculativeTokens = Drafts(options, parsed),
        })];
        GenerationRun run = new(running.Engine, prompts, requests, context);
        IReadOnlyList<GenerationOutput> outputs = await run.RunAsync(cancellation).ConfigureAwait(false);
        if (json is not null)
        {
            AtomicFile.Write(
                json,
                stream => GenerateJson.Write(stream, modelName, settings, running.Engine, sampling, outputs));
        }

        return ExitCodes.WithinBudget;
    }

    private static SamplingOptions Sampling(Options options, ParseResult parsed)
    {
        double temperature = parsed.GetValue(options.Temperature);
        if (temperature == 0)
        {
            Option[] without = [options.TopK, options.TopP, options.MinP];
            if (without.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is Option useless)
            {
                throw new UsageException($"{useless.Name} needs --temperature above 0: greedy looks at one token only");
            }
        }

        return new SamplingOptions
        {
            Temperature = (float)temperature,
            TopK = parsed.GetValue(options.TopK),
            TopP = (float)parsed.GetValue(options.TopP),
            MinP = (float)parsed.GetValue(options.MinP),
            RepetitionPenalty = (float)parsed.GetValue(options.RepetitionPenalty),
            PresencePenalty = (float)parsed.GetValue(options.PresencePenalty),
            FrequencyPenalty = (float)parsed.GetValue(options.FrequencyPenalty),
            Seed = parsed.GetValue(options.Seed),
            StopStrings = parsed.GetValue(options.Stop) ?? [],
            StopTokenIds = parsed.GetValue(options.StopIds) is string ids
                ? GenerationPrompt.ParseIds(ids, "--stop-ids")
                : [],
            IgnoreEndOfSequence = parsed.GetValue(options.IgnoreEndOfSequence),
            MaxTokens = parsed.GetValue(options.MaxTokens),
        };
    }

    private static int Drafts(Options options, ParseResult parsed) =>
        parsed.GetResult(options.Speculative) is not OptionResult { Implicit: false } given ? 0
        : given.Tokens.Count == 0 ? DefaultDrafts
        : parsed.GetValue(options.Speculative) is int drafts and >= 1 ? drafts
        : throw new UsageException("--speculative: at least 1 token is drafted");

    private sealed class Options
    {
        public Argument<string> Model { get; } = new("MODEL")
        {
            Description = "A Hugging Face checkpoint folder, or synthetic:NAME[@SEED] for weights without a disk.",
        };

        public Option<string[]> Prompt { get; } = new("--prompt")
        {
            Description = "A text to continue; more than once for several at once. Nothing is put before it.",
            HelpName = "TEXT",
        };

        public Option<string[]> Messages { get; } = new("--messages")
        {
            Description = "A JSON file with a conversation, [{\"role\", \"content\"}, …] or {\"messages\": […]}, to be "
                + "answered in the chat format of the folder's template.",
            HelpName = "FILE",
        };

        public Option<string[]> Ids { get; } = new("--ids")
        {
            Description = "The token ids of a prompt, separated by commas. The answer is ids too; no tokenizer is "
                + "needed.",
            HelpName = "ID,ID,…",
        };

        public Option<string?> Template { get; } = new("--template")
        {
            Description = $"The chat format: {TemplateName.List}. Default: the folder's own, when its template is one "
                + "of these.",
            HelpName = "NAME",
        };

        public Option<bool> Plain { get; } = new("--plain")
        {
            Description = "What looks like an added token in prompts and messages, such as <role>, stays text.",
        };

        public Option<int> MaxTokens { get; } = new("--max-tokens")
        {
            Description = "The most tokens to generate for a prompt.", HelpName = "N", DefaultValueFactory = _ => 256,
        };

        public Option<double> Temperature { get; } = new("--temperature")
        {
            Description = "Divides the logits; 0 is greedy. generation_config.json is not asked for sampling settings.",
            HelpName = "T",
            DefaultValueFactory = _ => 0,
        };

        public Option<int> TopK { get; } = new("--top-k")
        {
            Description = "Keep the K most likely tokens; 0 keeps all.", HelpName = "K", DefaultValueFactory = _ => 0,
        };

        public Option<double> TopP { get; } = new("--top-p")
        {
            Description = "Keep the most likely tokens up to this mass.", HelpName = "P", DefaultValueFactory = _ => 1,
        };

        public Option<double> MinP { get; } = new("--min-p")
        {
            Description = "Keep tokens at least P times as likely as the most likely one.",
            HelpName = "P",
            DefaultValueFactory = _ => 0,
        };

        public Option<double> RepetitionPenalty { get; } = new("--repetition-penalty")
        {
            Description = "Above 1: makes tokens of prompt and output less likely.",
            HelpName = "R",
            DefaultValueFactory = _ => 1,
        };

        public Option<double> PresencePenalty { get; } = new("--presence-penalty")
        {
            Description = "Is subtracted from the logits of tokens in the output.",
            HelpName = "S",
            DefaultValueFactory = _ => 0,
        };

        public Option<double> FrequencyPenalty { get; } = new("--frequency-penalty")
        {
            Description = "The same, as often as the token stands there.",
            HelpName = "F",
            DefaultValueFactory = _ => 0,
        };

        public Option<ulong> Seed { get; } = new("--seed")
        {
            Description = "Fixes every draw; a token depends on the seed and its position only.",
            HelpName = "SEED",
            DefaultValueFactory = _ => 0,
        };

        public Option<string[]> Stop { get; } = new("--stop")
        {
            Description = "A text that ends the output; more than once for several.", HelpName = "TEXT",
        };

        public Option<string?> StopIds { get; } = new("--stop-ids")
        {
            Description = "Tokens that end the output, beside those of generation_config.json and config.json.",
            HelpName = "ID,ID,…",
        };

        public Option<bool> IgnoreEndOfSequence { get; } = new("--ignore-eos")
        {
            Description = "The model's own end-of-sequence tokens do not end the output.",
        };

        public Option<int?> Speculative { get; } = new("--speculative")
        {
            Description = $"Draft K tokens ahead with the model's MTP layer ({DefaultDrafts} without a number) and "
                + "verify them in one pass. Greedy output does not change.",
            HelpName = "K",
            Arity = ArgumentArity.ZeroOrOne,
        };

        public Option<double?> Yarn { get; } = new("--yarn")
        {
            Description = "Stretch the positions by this factor with YaRN, as the model cards recommend (4) beyond the "
                + "trained context. It changes short texts too.",
            HelpName = "FACTOR",
        };

        public Option<int?> Context { get; } = new("--context")
        {
            Description = "The most tokens of prompt and output together. Default: all positions of the model.",
            HelpName = "N",
        };

        public Option<int?> LogProbabilities { get; } = new("--logprobs")
        {
            Description = "Tell the log-probability of each token and of the N most likely ones: of the model alone, "
                + "before penalties and temperature.",
            HelpName = "N",
        };

        public Option<string> Precision { get; } = new("--precision")
        {
            Description = "float32, or bfloat16 with the published code's rounding points.",
            HelpName = "PRECISION",
            DefaultValueFactory = _ => "float32",
        };

        public Option<string> Engine { get; } = EngineWords.One();

        public Option<string?> MemoryLimit { get; } = new("--memory-limit")
        {
            Description = "Take no more memory than this in all, e.g. 8GB. Default: three quarters of the machine. The "
                + "numbers are the same.",
            HelpName = "SIZE",
        };

        public Option<string?> Json { get; } = new("--json")
        {
            Description = "Write prompts, outputs and settings as JSON.", HelpName = "FILE",
        };

        public void AddTo(ToolCommand command)
        {
            command.Arguments.Add(Model);
            Option[] all =
            [
                Prompt, Messages, Ids, Template, Plain, MaxTokens, Temperature, TopK, TopP, MinP, RepetitionPenalty,
                PresencePenalty, FrequencyPenalty, Seed, Stop, StopIds, IgnoreEndOfSequence, Speculative, Yarn, Context,
                LogProbabilities, Precision, Engine, MemoryLimit, Json,
            ];
            foreach (Option option in all)
            {
                command.Options.Add(option);
            }
        }
    }
}
