using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash tokenize</c>: text to ids, ids to text, chats to text.</summary>
internal static class TokenizeCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string> model = new("MODEL")
        {
            Description = "A checkpoint folder, or a tokenizer.json of the published shape.",
        };
        Option<string?> text = new("--text") { Description = "The text to tokenize.", HelpName = "TEXT" };
        Option<string?> input = new("--input")
        {
            Description = "JSON lines {\"text\": …} to tokenize; with --decode also {\"ids\": […]}.",
            HelpName = "FILE",
        };
        Option<string?> decode = new("--decode")
        {
            Description = "Ids to turn into text; without a value: add the decoded text to what --text or --input "
                + "give.",
            HelpName = "ID,ID,…",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> chat = new("--chat")
        {
            Description = "JSON lines {\"messages\", \"add_generation_prompt\", \"tools\"} to render and tokenize.",
            HelpName = "FILE",
        };
        Option<string?> template = new("--template")
        {
            Description = $"The chat format: {TemplateName.List}. Default: the folder's own, when its template is one "
                + "of these.",
            HelpName = "NAME",
        };
        Option<bool> plain = new("--plain")
        {
            Description = "Text that looks like an added token, such as <role>, stays text; of a chat what people "
                + "wrote. Hugging Face makes it the token, and so does this tool by default.",
        };
        Option<string?> json = new("--json")
        {
            Description = "Write {\"results\": [{\"ids\": […]}, …]}, one for each line.",
            HelpName = "FILE",
        };

        ToolCommand command = new(
            "tokenize",
            "Turns text into ids and ids into text, and renders chats, as Hugging Face's programs do.",
            "ringflash tokenize Ring-flash-2.0 --text 'Hello, world!'",
            "ringflash tokenize Ring-flash-2.0 --decode 14455,11,1931,0",
            "ringflash tokenize Ring-flash-2.0/tokenizer.json --input texts.jsonl --json ids.json",
            "ringflash tokenize Ring-flash-2.0 --chat chats.jsonl --template ring-flash-2.0 --json rendered.json")
        {
            model, text, input, decode, chat, template, plain, json,
        };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            new Request(
                parsed.GetValue(model)!,
                parsed.GetValue(text),
                Full(parsed.GetValue(input), context),
                parsed.GetValue(decode),
                parsed.GetResult(decode) is not null,
                Full(parsed.GetValue(chat), context),
                parsed.GetValue(template),
                parsed.GetValue(plain),
                parsed.GetValue(json)),
            context,
            cancellation)));
        return command;
    }

    private static string? Full(string? path, ToolContext context) =>
        path is null ? null : Path.GetFullPath(path, context.CurrentDirectory);

    private static int Run(Request request, ToolContext context, CancellationToken cancellation)
    {
        CheckSources(request);
        string model = ModelPath(request.Model, context);
        string[] inputs = [.. new[] { request.Input, request.Chat, model }.OfType<string>()];
        string? json = OutputFile.Check(request.Json, "--json", context.CurrentDirectory, inputs);
        ChatFormat? format = request.Chat is null ? null : Format(request.Template, model);
        ModelTokenizer tokenizer = ModelTokenizer.Load(model);
        List<TokenizeResult> results = [];
        foreach (TokenizeResult result in Results(request, tokenizer, format))
        {
            cancellation.ThrowIfCancellationRequested();
            results.Add(result);
        }

        TokenizeReport report = new(tokenizer, format, request.Plain, results);
        report.Write(context.Output, toFile: json is not null);
        if (json is not null)
        {
            AtomicFile.Write(json, report.WriteJson);
        }

        return ExitCodes.WithinBudget;
    }

    private static void CheckSources(Request request)
    {
        bool decodesIds = request.DecodeIds is not null;
        int sources = new[] { request.Text, request.Input, request.DecodeIds, request.Chat }
            .Count(source => source is not null);
        if (sources != 1)
        {
            throw new UsageException("give one of --text, --input, --decode ID,ID,… and --chat");
        }

        if (request.Decode && !decodesIds && request.Chat is not null)
        {
            throw new UsageException("--decode without ids goes with --text or --input");
        }

        if (request.Template is not null && request.Chat is null)
        {
            throw new UsageException("--template goes with --chat");
        }

        if (request.Plain && decodesIds)
        {
            throw new UsageException("--plain changes nothing where ids are given");
        }
    }

    private static string ModelPath(string text, ToolContext context)
    {
        if (text.Trim().Length == 0 || text.Contains('\0'))
        {
            throw new UsageException("MODEL is empty");
        }

        return text.StartsWith("synthetic:", StringComparison.Ordinal)
            ? throw new UsageException("a synthetic model has no tokenizer; name a folder or a tokenizer.json")
            : Path.GetFullPath(text, context.CurrentDirectory);
    }

    private static ChatFormat Format(string? name, string model)
    {
        if (name is null)
        {
            return ChatFormat.ForFolder(Directory.Exists(model) ? model : Path.GetDirectoryName(model) ?? model);
        }

        return TemplateName.Parse(name);
    }

    private static IEnumerable<TokenizeResult> Results(Request request, ModelTokenizer tokenizer, ChatFormat? format)
    {
        if (request.DecodeIds is string list)
        {
            int[] ids = [.. CommaList.Split(list, "--decode").Select(word => int.TryParse(
                word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int id)
                    ? id
                    : throw new UsageException($"--decode: '{word}' is not a token id"))];
            return [Decoded(tokenizer, ids)];
        }

        if (request.Text is string text)
        {
            return [Encoded(tokenizer, text, request)];
        }

        return request.Chat is string chat
            ? JsonLine.Read(chat).Select(line => Rendered(tokenizer, format!, line, request.Plain))
            : JsonLine.Read(request.Input!).Select(line => Line(tokenizer, line, request));
    }

    private static TokenizeResult Line(ModelTokenizer tokenizer, JsonLine line, Request request)
    {
        if (line.Value.TryGetProperty("text", out JsonElement text))
        {
            return text.ValueKind == JsonValueKind.String
                ? Encoded(tokenizer, text.GetString()!, request)
                : throw new InvalidInputException(line.SourceName, "$.text", "must be a string");
        }

        if (!request.Decode)
        {
            throw new InvalidInputException(line.SourceName, "$.text", "required");
        }

        if (!line.Value.TryGetProperty("ids", out JsonElement ids) || ids.ValueKind != JsonValueKind.Array)
        {
            throw new InvalidInputException(line.SourceName, "$.ids", "must be an array of token ids");
        }

        int[] numbers = [.. ids.EnumerateArray().Select((element, index) =>
        {
            string place = string.Create(CultureInfo.InvariantCulture, $"$.ids[{index}]");
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id))
            {
                throw new InvalidInputException(line.SourceName, place, "must be a token id");
            }

            return tokenizer.Contains(id)
                ? id
                : throw new InvalidInputException(line.SourceName, place, $"{id} is not in the vocabulary");
        })];
        return Decoded(tokenizer, numbers);
    }

    private static TokenizeResult Encoded(ModelTokenizer tokenizer, string text, Request request)
    {
        int[] ids = tokenizer.Encode(text, specialTokens: !request.Plain);
        return request.Decode ? Decoded(tokenizer, ids) : new TokenizeResult(ids);
    }

    private static TokenizeResult Decoded(ModelTokenizer tokenizer, int[] ids) => new(ids)
    {
        Decoded = tokenizer.Decode(ids),
        DecodedSkipSpecial = tokenizer.Decode(ids, skipSpecialTokens: true),
    };

    private static TokenizeResult Rendered(ModelTokenizer tokenizer, ChatFormat format, JsonLine line, bool plain)
    {
        ChatConversation chat = ChatConversation.Read(line.Value, line.SourceName);
        try
        {
            ChatPrompt prompt = format.Compose(chat.Messages, chat.AddGenerationPrompt, chat.Tools);
            return new TokenizeResult(tokenizer.Encode(prompt, plain)) { Rendered = prompt.Text };
        }
        catch (InvalidInputException exception)
        {
            throw new InvalidInputException(line.SourceName, string.Empty, exception.Message, exception);
        }
    }

    private sealed record Request(
        string Model,
        string? Text,
        string? Input,
        string? DecodeIds,
        bool Decode,
        string? Chat,
        string? Template,
        bool Plain,
        string? Json);
}
