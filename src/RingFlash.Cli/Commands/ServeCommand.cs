using System;
using System.CommandLine;
using System.Net;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Cli.Server;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash serve</c>: an HTTP server that speaks as OpenAI's and vLLM's do.</summary>
internal static class ServeCommand
{
    private const int UsualCacheTokens = 8192;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        GenerationLimits usual = new();
        Argument<string> model = new("MODEL")
        {
            Description = "A Hugging Face checkpoint folder, or synthetic:NAME[@SEED] for weights without a disk.",
        };
        Option<string> host = new("--host")
        {
            Description = "The address to listen on. Beyond loopback a key is required.",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        Option<int> port = Number("--port", "The port; 0 takes a free one.", 8000);
        Option<string?> apiKey = new("--api-key")
        {
            Description = "What clients must send as Authorization: Bearer KEY. Default: the variable "
                + "RINGFLASH_API_KEY, which other users of the machine do not see.",
            HelpName = "KEY",
        };
        Option<string?> name = new("--served-model-name")
        {
            Description = "The model's name in requests and answers. Default: MODEL.",
            HelpName = "NAME",
        };
        Option<string?> template = new("--template")
        {
            Description = $"The chat format: {TemplateName.List}. Default: the folder's own, when its template is one "
                + "of them; otherwise chats are refused.",
            HelpName = "NAME",
        };
        Option<bool> splitReasoning = new("--split-reasoning")
        {
            Description = "Tell what lies in <think> apart, as reasoning_content. Default: it stays in the content.",
        };
        Option<bool> plain = new("--plain")
        {
            Description = "What people write stays text, also where it looks like <role> or another added token.",
        };
        Option<bool> routedExperts = new("--routed-experts")
        {
            Description = "Tell the routed experts in every answer, as vLLM does with "
                + "--enable-return-routed-experts. Default: where a request says return_routed_experts.",
        };
        Option<int> maxLogProbabilities = Number(
            "--max-logprobs", "The most likely tokens that a request may ask for at a place; -1 for all.", 20);
        Option<int> running = Number("--running", "Answers that are computed together.", usual.RunningRequests);
        Option<int> waiting = Number(
            "--waiting", "Answers that may wait for that; more are told to come back (429).", usual.WaitingRequests);
        Option<int?> contextTokens = new("--context")
        {
            Description = "The most tokens of prompt and answer. Default: what the model was trained on.",
            HelpName = "TOKENS",
        };
        Option<int?> cacheTokens = new("--cache-tokens")
        {
            Description = "The most tokens that all answers together come to hold; one waits until its worst case fits "
                + $"in. Default: {UsualCacheTokens} for each of --running, and at least one context.",
            HelpName = "TOKENS",
        };
        Option<double?> yarn = new("--yarn")
        {
            Description = "Stretch the context by YaRN; the published recipe is 4. It changes short prompts too.",
            HelpName = "FACTOR",
        };
        Option<string> precision = new("--precision")
        {
            Description = "float32, or bfloat16 with the published code's rounding points.",
            HelpName = "PRECISION",
            DefaultValueFactory = _ => "float32",
        };
        Option<string> engine = EngineWords.One();
        Option<string?> memoryLimit = new("--memory-limit")
        {
            Description = "Take no more memory than this in all, e.g. 8GB. Default: three quarters of the machine.",
            HelpName = "SIZE",
        };
        Option<int> timeout = Number("--timeout", "Seconds until an answer must be complete.", 600);

        ToolCommand command = new(
            "serve",
            "Serves /v1/completions, /v1/chat/completions, /v1/models, /health, /tokenize and /detokenize for clients "
            + "of OpenAI and vLLM; logprobs, prompt_logprobs and routed experts are the reference's own bits.",
            "ringflash serve Ring-mini-2.0",
            "ringflash serve Ring-flash-2.0 --memory-limit 24GB --yarn 4 --split-reasoning",
            "ringflash serve synthetic:ring-mini-2.0@7 --port 0 --max-logprobs -1   # token ids only",
            "ringflash serve Ring-mini-2.0 --host 0.0.0.0   # with RINGFLASH_API_KEY set")
        {
            model, host, port, apiKey, name, template, splitReasoning, plain, routedExperts, maxLogProbabilities,
            running, waiting, contextTokens, cacheTokens, yarn, precision, engine, memoryLimit, timeout,
        };
        command.SetAction((parsed, cancellation) =>
        {
            string typed = parsed.GetValue(model)!;
            ServerSettings settings = new()
            {
                ModelName = parsed.GetValue(name) ?? typed,
                Address = ParseAddress(parsed.GetValue(host)!),
                Port = Check(parsed.GetValue(port), "--port", 0, ushort.MaxValue),
                ApiKey = ParseKey(parsed.GetValue(apiKey) ?? context.ApiKey),
                MaxLogProbabilities = Check(parsed.GetValue(maxLogProbabilities), "--max-logprobs", -1, int.MaxValue),
                SplitReasoning = parsed.GetValue(splitReasoning),
                PlainContent = parsed.GetValue(plain),
                RoutedExperts = parsed.GetValue(routedExperts),
                AnswerTime = TimeSpan.FromSeconds(Check(parsed.GetValue(timeout), "--timeout", 1, 1_000_000)),
            };
            GenerationLimits limits = new()
            {
                RunningRequests = Check(parsed.GetValue(running), "--running", 1, 1024),
                WaitingRequests = Check(parsed.GetValue(waiting), "--waiting", 0, 65536),
                ContextTokens = parsed.GetValue(contextTokens),
                CacheTokens = parsed.GetValue(cacheTokens) is int tokens
                    ? Check(tokens, "--cache-tokens", 2, int.MaxValue)
                    : null,
            };
            GenerationSettings generation = new(
                parsed.GetValue(precision)!,
                limits,
                parsed.GetValue(yarn),
                parsed.GetValue(memoryLimit) is string size ? ByteSize.Parse(size, "--memory-limit") : null)
            {
                Engine = EngineWords.ParseOne(parsed.GetValue(engine)!, parsed.GetValue(memoryLimit)),
                CachedTokens = 0, // known when the model is
            };
            ChatFormat? format = parsed.GetValue(template) is string word ? TemplateName.Parse(word) : null;
            return Run(typed, format, settings, generation, context, cancellation);
        });
        return command;
    }

    private static async Task<int> Run(
        string typed,
        ChatFormat? format,
        ServerSettings settings,
        GenerationSettings generation,
        ToolContext context,
        CancellationToken cancellation)
    {
        ApiServer.CheckOpenness(settings); // before weights are read
        ModelName opened = ModelName.Open(typed, context.CurrentDirectory);
        await using GenerationModel model = Start(opened, generation);
        ServedModel served = Chats(model, format);
        await using ApiServer server = await ApiServer.Start(
            served, settings, exception => context.Error.WriteLine($"ringflash: {exception}"), cancellation)
            .ConfigureAwait(false);
        Describe(server, served, settings, context);
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(false);
            return ExitCodes.WithinBudget;
        }
        finally
        {
            await server.Stop(Farewell).ConfigureAwait(false);
        }
    }

    private static GenerationModel Start(ModelName opened, GenerationSettings generation)
    {
        try
        {
            ModelConfiguration configuration = generation.Yarn is double factor
                ? ContextLength.WithYarn(opened.Configuration, factor)
                : opened.Configuration;
            ModelTokenizer? tokenizer = GenerationModel.TokenizerOf(opened);
            tokenizer?.EnsureFits(configuration.VocabularySize);
            GenerationLimits limits = generation.Limits;
            long cached = limits.CacheTokens ?? Math.Max(
                limits.ContextTokens ?? ContextLength.Of(configuration),
                (long)limits.RunningRequests * UsualCacheTokens);
            return GenerationModel.Start(
                opened,
                generation with { Limits = limits with { CacheTokens = cached }, CachedTokens = cached },
                tokenizer);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private static ServedModel Chats(GenerationModel model, ChatFormat? format)
    {
        if (model.Engine.Tokenizer is null || model.Folder is null)
        {
            return new ServedModel(model.Engine, null, "it has no tokenizer; send token ids to /v1/completions");
        }

        try
        {
            return new ServedModel(model.Engine, format ?? ChatFormat.ForFolder(model.Folder));
        }
        catch (InvalidInputException exception)
        {
            return new ServedModel(model.Engine, null, $"{exception.Message} (serve --template)");
        }
    }

    private static void Describe(ApiServer server, ServedModel served, ServerSettings settings, ToolContext context)
    {
        GenerationLimits limits = served.Engine.Limits;
        context.Output.WriteLine(
            $"{settings.ModelName}: context {NumberText.Count(served.Engine.ContextLimit)} tokens, "
            + $"{limits.RunningRequests} answers at once, {limits.WaitingRequests} may wait");
        context.Output.WriteLine(served.Tokenizer is null ? "tokenizer: none, token ids only"
            : served.ChatFormat is null ? $"chats are refused: {served.ChatRefusal}"
            : $"chat format: {served.ChatFormat.Name}");
        context.Output.WriteLine($"listening on {server.Address.GetLeftPart(UriPartial.Authority)}; Ctrl-C stops");
        context.Output.Flush();
    }

    private static Option<int> Number(string name, string description, int usual) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => usual,
    };

    private static int Check(int number, string option, int minimum, int maximum) =>
        number >= minimum && number <= maximum
            ? number
            : throw new UsageException($"{option}: {number} is not from {minimum} to {maximum}");

    private static IPAddress ParseAddress(string text) =>
        text == "localhost" ? IPAddress.Loopback
        : IPAddress.TryParse(text, out IPAddress? address) ? address
        : throw new UsageException($"--host: '{text}' is not an address such as 127.0.0.1, 0.0.0.0 or ::1");

    private static string? ParseKey(string? key) => key is null || key.Trim().Length > 0
        ? key?.Trim()
        : throw new UsageException("--api-key is empty");
}
