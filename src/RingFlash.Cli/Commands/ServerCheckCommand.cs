using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Cli.ServerCheck;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash server check</c>: a running server against the reference.</summary>
internal static class ServerCheckCommand
{
    private const ulong PromptSeed = 2; // any; the prompts are the same for everybody
    private const int MostTokens = 512; // of all prompts: short ones cannot hurt a server
    private const int MostConcurrency = 64;

    private static readonly int[] PromptLengths = [5, 17, 40];

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string> url = new("URL") { Description = "The server, e.g. http://localhost:8000." };
        Argument<string> model = new("MODEL")
        {
            Description = "What it serves: a Hugging Face checkpoint folder, or synthetic:NAME[@SEED].",
        };
        Option<string> api = new("--api")
        {
            Description = "How to speak to it: vllm, sglang, openai, or auto to find out.",
            HelpName = "API",
            DefaultValueFactory = _ => "auto",
        };
        Option<string[]> ids = new("--ids")
        {
            Description = "A prompt as token ids, 1,2,3; may be given several times. Default: three small prompts of "
                + "tokens from the vocabulary.",
            HelpName = "IDS",
        };
        Option<string[]> prompt = new("--prompt")
        {
            Description = "A prompt as text, where the folder has a tokenizer; ids are sent all the same, and the "
                + "server's own tokens are compared where it tells them.",
            HelpName = "TEXT",
        };
        Option<string?> precision = new("--precision")
        {
            Description = $"What the server computes in: {ReferenceRunner.Precisions}. Its noise is measured on this "
                + "model, and is what log-probabilities may differ by. Default: what config.json says.",
            HelpName = "PRECISION",
        };
        Option<int> concurrency = new("--concurrency")
        {
            Description = "Also send so many requests at once, and compare with one at a time.",
            HelpName = "N",
            DefaultValueFactory = _ => 1,
        };
        Option<int> timeout = new("--timeout")
        {
            Description = "Seconds until an answer must be complete.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 120,
        };
        Option<string?> memoryLimit = new("--memory-limit")
        {
            Description = "Take no more memory than this in all, e.g. 8GB. Default: three quarters of the machine.",
            HelpName = "SIZE",
        };
        Option<string?> json = new("--json") { Description = "Write the whole report as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "check",
            "Asks a running server for log-probabilities, tokens and routed experts, and compares them with the "
            + "reference; RINGFLASH_API_KEY is sent as its key. One short request at a time.",
            "ringflash server check http://localhost:8000 Ring-mini-2.0",
            "ringflash server check http://localhost:30000 Ring-flash-2.0 --precision fp8 --memory-limit 24GB",
            "ringflash server check http://localhost:8000 synthetic:ring-mini-2.0@7 --ids 1,2,3 --json report.json")
        {
            url, model, api, ids, prompt, precision, concurrency, timeout, memoryLimit, json,
        };
        command.SetAction((parsed, cancellation) => Run(
            new Request(
                ParseAddress(parsed.GetValue(url)!),
                parsed.GetValue(model)!,
                ParseApi(parsed.GetValue(api)!),
                parsed.GetValue(ids) ?? [],
                parsed.GetValue(prompt) ?? [],
                parsed.GetValue(precision),
                Check(parsed.GetValue(concurrency), "--concurrency", MostConcurrency),
                TimeSpan.FromSeconds(Check(parsed.GetValue(timeout), "--timeout", 86400)),
                parsed.GetValue(memoryLimit) is string size ? ByteSize.Parse(size, "--memory-limit") : null,
                OutputFile.Check(parsed.GetValue(json), "--json", context.CurrentDirectory, [])),
            context,
            cancellation));
        return command;
    }

    private static async Task<int> Run(Request request, ToolContext context, CancellationToken cancellation)
    {
        using ModelName model = ModelName.Open(request.Model, context.CurrentDirectory);
        ModelTokenizer? tokenizer = GenerationModel.TokenizerOf(model);
        tokenizer?.EnsureFits(model.Configuration.VocabularySize);
        string precision = ParsePrecision(request.Precision, model.Configuration);
        IReadOnlyList<int>[] texts = [.. request.Texts.Select(text => Encode(text, tokenizer))];
        IReadOnlyList<int>[] given =
            [.. request.Ids.Select(list => (IReadOnlyList<int>)GenerationPrompt.ParseIds(list, "--ids")), .. texts];
        IReadOnlyList<int>[] usual = UsualPrompts(model.Configuration, tokenizer);
        ServerCheckReport report = new()
        {
            Address = request.Address.GetLeftPart(UriPartial.Path).TrimEnd('/'),
            Model = request.Model,
            Precision = precision,
            Names = new TokenNames(tokenizer, model.Configuration.VocabularySize),
            Prompts = given.Length > 0 ? CheckPrompts(given, model.Configuration) : usual,
        };
        StatusLine status = new(context.ErrorIsTerminal ? context.Error : null);
        using ServerConnection connection = new(request.Address, Key(context), request.Timeout, report.Oddities);
        ReferenceRunner runner = new(model.Configuration, model.Weights, request.MemoryLimit)
        {
            Progress = status.Show,
        };
        ServerChecker checker = new(connection, report, model.Configuration)
        {
            Dialect = request.Dialect,
            Concurrency = request.Concurrency,
            Texts = [.. request.Texts.Zip(texts)],
            NoisePrompts = given.Length > 0 ? usual : [],
            Progress = status.Show,
        };
        try
        {
            await checker.Run(
                (sequences, replay) => runner.Run(sequences, precision, replay, cancellation), cancellation)
                .ConfigureAwait(false);
        }
        catch (ServerFaultException exception)
        {
            report.Oddities.Add(exception.Oddity);
        }
        finally
        {
            status.Clear();
        }

        report.Requests = connection.Requests;
        new ServerCheckTable(ReportConsole.Create(context.Output, context.Colour)).Write(report);
        if (request.Json is not null)
        {
            ServerCheckJson.Save(request.Json, report);
        }

        if (report.End is Oddity end && report.ExitCode > ExitCodes.OverBudget)
        {
            string line = $"{report.Address}: {end.Kind.Name}: {end.Place}: {end.Detail}";
            context.Error.WriteLine($"ringflash: {InvalidInputException.Escape(line)}");
        }

        return report.ExitCode;
    }

    private static Uri ParseAddress(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https")
            || uri.Host.Length == 0)
        {
            throw new UsageException($"URL: '{text}' is not an address such as http://localhost:8000");
        }

        if (uri.UserInfo.Length > 0)
        {
            throw new UsageException("URL: no names and passwords; set RINGFLASH_API_KEY");
        }

        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new UsageException("URL: neither ? nor #; it is where the server's places begin");
        }

        string path = uri.GetLeftPart(UriPartial.Path).TrimEnd('/');
        path = path.EndsWith("/v1", StringComparison.Ordinal) ? path[..^"/v1".Length] : path;
        return new Uri(path + "/");
    }

    private static ServerDialect? ParseApi(string word) => word == "auto"
        ? null
        : ServerDialect.Of(word)
            ?? throw new UsageException($"--api: '{word}' is not one of auto, vllm, sglang, openai");

    private static string ParsePrecision(string? word, ModelConfiguration configuration) => word switch
    {
        null => ReferenceRunner.Usual(configuration),
        "fp8" when configuration.Quantization is null => throw new UsageException(
            "--precision fp8: MODEL has no quantization_config; name the checkpoint that the server runs"),
        "float32" or "bfloat16" or "fp8" => word,
        _ => throw new UsageException(
            $"--precision: '{word}' is not a precision; known are {ReferenceRunner.Precisions}"),
    };

    private static IReadOnlyList<int> Encode(string text, ModelTokenizer? tokenizer) => tokenizer is null
        ? throw new UsageException("--prompt needs the model's tokenizer.json, and there is none; --ids needs none")
        : tokenizer.Encode(text);

    private static IReadOnlyList<int>[] CheckPrompts(IReadOnlyList<int>[] prompts, ModelConfiguration configuration)
    {
        foreach (int id in prompts.SelectMany(prompt => prompt).Where(id => id >= configuration.VocabularySize))
        {
            throw new UsageException($"--ids: {id} is not in the vocabulary of {configuration.VocabularySize}");
        }

        if (prompts.Any(prompt => prompt.Count == 0))
        {
            throw new UsageException("a prompt has no tokens");
        }

        int tokens = prompts.Sum(prompt => prompt.Count);
        return tokens <= MostTokens
            ? prompts
            : throw new UsageException($"prompts have {tokens} tokens; at most {MostTokens}, short ones suffice");
    }

    private static IReadOnlyList<int>[] UsualPrompts(ModelConfiguration configuration, ModelTokenizer? tokenizer)
    {
        int[] known = tokenizer is null
            ? [.. Enumerable.Range(0, configuration.VocabularySize)]
            : [.. Enumerable.Range(0, tokenizer.VocabularySize)
                .Where(id => tokenizer.Contains(id) && !tokenizer.IsSpecial(id))];
        int next = 0;
        return
        [
            .. PromptLengths.Select(length => (IReadOnlyList<int>)
                [
                    .. Enumerable.Range(0, Math.Min(length, configuration.MaxPositionEmbeddings / 2))
                        .Select(_ => known[SyntheticSource.InputId(PromptSeed, next++, known.Length)]),
                ]),
        ];
    }

    private static string? Key(ToolContext context) =>
        string.IsNullOrWhiteSpace(context.ApiKey) ? null
        : context.ApiKey.Trim().All(character => character is > ' ' and < '\u007f') ? context.ApiKey.Trim()
        : throw new UsageException("RINGFLASH_API_KEY holds what no key may hold: spaces or other than ASCII");

    private static int Check(int number, string option, int maximum) => number >= 1 && number <= maximum
        ? number
        : throw new UsageException(string.Create(
            CultureInfo.InvariantCulture, $"{option}: {number} is not from 1 to {maximum}"));

    private sealed record Request(
        Uri Address,
        string Model,
        ServerDialect? Dialect,
        string[] Ids,
        string[] Texts,
        string? Precision,
        int Concurrency,
        TimeSpan Timeout,
        long? MemoryLimit,
        string? Json);
}
