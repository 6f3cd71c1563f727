using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash capture</c>: runs our model and writes a golden-format case.</summary>
internal static class CaptureCommand
{
    private const string Schema = "ringflash-capture-report/1";

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string> model = new("MODEL")
        {
            Description = "A Hugging Face checkpoint folder, or synthetic:NAME[@SEED] for weights without a disk.",
        };
        Option<string> ids = new("--ids")
        {
            Description = "The token ids of one sequence, separated by commas.",
            HelpName = "ID,ID,…",
            Required = true,
        };
        Option<string> output = new("--out")
        {
            Description = "The case folder to write; absent or empty.",
            HelpName = "DIR",
            Required = true,
        };
        Option<string?> layers = new("--layers")
        {
            Description = "The layers whose input, output and router are kept, e.g. 0,5-7; an MTP layer has the number "
                + "behind the last. Default: all. The logits are always kept.",
            HelpName = "LIST",
        };
        Option<string> precision = new("--precision")
        {
            Description = "float32, or bfloat16 with the published code's rounding points.",
            HelpName = "PRECISION",
            DefaultValueFactory = _ => "float32",
        };
        Option<string> engine = EngineWords.One();
        Option<string?> taps = new("--taps")
        {
            Description = "What is kept, as sparse as another program's dump, instead of layer outputs, router scores "
                + $"and logits: a comma list of {string.Join(", ", CaptureOptions.TapKinds)}.",
            HelpName = "LIST",
        };
        Option<string?> mistake = new("--mistake")
        {
            Description = "Make a mistake on purpose, to see what compare and diagnose say; diagnose --list has the "
                + "ids. ID:N is the N-th way to make it.",
            HelpName = "ID",
        };
        Option<string?> memoryLimit = ByteSize.MemoryLimit();
        Option<string?> json = new("--json") { Description = "Write what was captured as JSON.", HelpName = "FILE" };

        ToolCommand command = new(
            "capture",
            "Runs our own model and writes what it computed as a case for verify. Such a case shows later that nothing "
            + "has changed; from an outside authority, tools/capture_golden.py makes the same from Transformers.",
            "ringflash capture synthetic:ring-mini-2.0@7 --ids 1,2,3 --layers 0,1,19 --out mini-case",
            "ringflash capture flash-3 --ids 1,2,3 --precision bfloat16 --out flash-3-case",
            "ringflash capture Ring-mini-2.0 --ids 1,2,3 --memory-limit 8GB --out mini-8gb-case",
            "ringflash capture synthetic:ring-mini-2.0@7 --ids 1,2,3 --mistake rotary.missing --out broken",
            "ringflash verify flash-3-case --model flash-3")
        {
            model, ids, output, layers, precision, engine, taps, mistake, memoryLimit, json,
        };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            new Request(
                parsed.GetValue(model)!,
                parsed.GetValue(ids)!,
                parsed.GetValue(output)!,
                parsed.GetValue(layers),
                parsed.GetValue(precision)!,
                parsed.GetValue(engine)!,
                parsed.GetValue(taps),
                parsed.GetValue(mistake),
                parsed.GetValue(memoryLimit),
                parsed.GetValue(json)),
            context,
            cancellation)));
        return command;
    }

    private static int Run(Request request, ToolContext context, CancellationToken cancellation)
    {
        int[] ids = [.. CommaList.Split(request.Ids, "--ids").Select(word => ParseId(word))];
        IReadOnlyList<LayerRange>? ranges = request.Layers is null ? null : ParseLayers(request.Layers);
        bool underBFloat16 = request.Precision switch
        {
            "float32" => false,
            "bfloat16" => true,
            _ => throw new UsageException(
                $"--precision: '{request.Precision}' is not a precision; known are float32, bfloat16"),
        };
        ExecutionEngine engine = EngineWords.ParseOne(request.Engine, request.MemoryLimit);
        NamedMistake? mistake = request.Mistake is null ? null : MistakeCatalogue.Find(request.Mistake)
            ?? throw new UsageException(
                $"--mistake: '{request.Mistake}' is not in the catalogue; ringflash diagnose --list shows it");
        long? memoryLimit =
            request.MemoryLimit is null ? null : ByteSize.Parse(request.MemoryLimit, "--memory-limit");
        string folder = OutputFolder.Check(request.Output, "--out", context.CurrentDirectory);
        string? json = OutputFile.Check(request.Json, "--json", context.CurrentDirectory, []);
        using ModelName model = ModelName.Open(request.Model, context.CurrentDirectory);
        CheckIds(ids, model.Configuration);
        CaptureOptions options = new(model.Configuration, model.ConfigurationJson, model.Weights, ids)
        {
            Layers = ranges is null ? null : Expand(ranges, model.Configuration),
            BFloat16 = underBFloat16,
            Engine = engine,
            Taps = request.Taps is null ? null : ParseTaps(request.Taps),
            Variation = mistake?.Make(),
            VariationName = mistake?.Name ?? string.Empty,
            MemoryLimit = memoryLimit,
            ToolVersion = ToolVersion.Text,
        };
        using WorkerPool workers = new(Environment.ProcessorCount);
        long start = Stopwatch.GetTimestamp();
        CaptureResult result = TerminalProgress.Run<(string Step, double Fraction), CaptureResult>(
            context,
            step => step,
            progress => CaseCapture.Run(options, folder, workers, progress, cancellation));
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Report(request, ids.Length, result, elapsed, context);
        if (json is not null)
        {
            AtomicFile.Write(json, stream => WriteJson(stream, request, ids, result, elapsed));
        }

        return ExitCodes.WithinBudget;
    }

    private static int ParseId(string word) =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? id
            : throw new UsageException($"--ids: '{word}' is not a token id");

    private static void CheckIds(int[] ids, ModelConfiguration configuration)
    {
        foreach (int id in ids.Where(id => id >= configuration.VocabularySize))
        {
            throw new UsageException(
                $"--ids: {id} is not in the vocabulary of {configuration.VocabularySize}");
        }

        if (ids.Length > configuration.MaxPositionEmbeddings)
        {
            throw new UsageException(
                $"--ids: {ids.Length} tokens, the model has {configuration.MaxPositionEmbeddings} positions");
        }
    }

    private static HashSet<string> ParseTaps(string text) =>
    [
        .. CommaList.Split(text, "--taps").Select(word => CaptureOptions.TapKinds.Contains(word)
            ? word
            : throw new UsageException(
                $"--taps: '{word}' is not one of {string.Join(", ", CaptureOptions.TapKinds)}")),
    ];

    private static LayerRange[] ParseLayers(string text) =>
    [
        .. CommaList.Split(text, "--layers").Select(word => LayerRange.TryParse(word, out LayerRange? range)
            ? range
            : throw new UsageException($"--layers: '{word}' is not a layer; write 0,5-7")),
    ];

    private static HashSet<int> Expand(IReadOnlyList<LayerRange> ranges, ModelConfiguration configuration)
    {
        int last = configuration.LayerCount + configuration.NextTokenPredictionLayerCount - 1;
        foreach (LayerRange range in ranges.Where(range => range.Last > last))
        {
            throw new UsageException($"--layers: there is no layer {range.Last}; the model has 0-{last}");
        }

        return [.. ranges.SelectMany(range => Enumerable.Range(range.First, range.Count))];
    }

    private static void Report(
        Request request, int tokens, CaptureResult result, TimeSpan elapsed, ToolContext context)
    {
        ReportText text = new(ReportConsole.Create(context.Output, context.Colour));
        text.Line(
            $"{NumberText.Count(result.Values)} values in {result.TapCount} taps of {tokens} tokens, "
            + $"{request.Precision}, {request.Engine}, in {NumberText.Time(elapsed)}");
        bool synthetic = result.Weights.Count == 0;
        text.Line(synthetic
            ? "weights: synthetic, made again when the case is verified"
            : $"weights: {NumberText.Count(result.Weights.Count)} tensors were read, "
                + $"{NumberText.Memory(result.Weights.Sum(weight => weight.End - weight.Begin))}; each is named by "
                + "file, byte range and SHA-256 in weights.json");
        text.Line($"case: {result.Folder}");
        if (request.Mistake is not null)
        {
            string precision = request.Precision == "float32" ? string.Empty : $" --precision {request.Precision}";
            text.Line($"made wrong on purpose: {request.Mistake}");
            text.Line($"see what is said of it: ringflash diagnose {request.Model} {request.Output}{precision}");
            return;
        }

        string model = synthetic ? string.Empty : $" --model {request.Model}";
        text.Line($"check it with: ringflash verify {request.Output}{model}");
    }

    private static void WriteJson(
        Stream stream, Request request, int[] ids, CaptureResult result, TimeSpan elapsed)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("model", request.Model);
        json.WriteString("folder", result.Folder);
        json.WriteString("precision", request.Precision);
        json.WriteString("engine", request.Engine);
        json.WriteNumber("tokens", ids.Length);
        json.WriteNumber("taps", result.TapCount);
        json.WriteNumber("values", result.Values);
        json.WriteNumber("weights_read", result.Weights.Count);
        json.WriteNumber("seconds", elapsed.TotalSeconds);
        json.WriteEndObject();
    }

    private sealed record Request(
        string Model,
        string Ids,
        string Output,
        string? Layers,
        string Precision,
        string Engine,
        string? Taps,
        string? Mistake,
        string? MemoryLimit,
        string? Json);
}
