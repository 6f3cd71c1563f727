using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>What it takes to run a model.</summary>
/// <param name="ContextLength">The tokens in the cache that the sums count.</param>
/// <param name="Resident">Bytes with all matrices in memory but the embedding table.</param>
/// <param name="Streamed">The least bytes, weights read as they are used.</param>
/// <param name="CachePerToken">Bytes of keys and values of one token.</param>
internal sealed record MemoryNeeds(int ContextLength, long Resident, long Streamed, long CachePerToken);

/// <summary>What <c>ringflash inspect</c> found.</summary>
/// <param name="Name">The model as it was typed.</param>
/// <param name="Configuration">Its configuration.</param>
/// <param name="Weights">Its weights.</param>
/// <param name="Tensors">How they differ from what the configuration needs.</param>
internal sealed record InspectReport(
    string Name, ModelConfiguration Configuration, IWeightSource Weights, CatalogComparison Tensors)
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-inspect-report/1";

    private const int NamesShown = 4;
    private const string NoFolder = "none: the model is synthetic";

    /// <summary>What it takes to run it; null when tensors are missing or wrong.</summary>
    public required MemoryNeeds? Memory { get; init; }

    /// <summary>Tokenizer and template; null for a synthetic model.</summary>
    public required TextFiles? Text { get; init; }

    private ParameterCounts Counts { get; } = ParameterCounts.For(Configuration);

    private CheckpointFolder? Folder => Weights as CheckpointFolder;

    private IReadOnlyList<string> Warnings => [.. Configuration.Warnings, .. Folder?.Warnings ?? []];

    private IEnumerable<(ElementType Type, int Tensors, long Bytes)> Types => Weights.Tensors
        .GroupBy(tensor => tensor.ElementType)
        .OrderBy(group => group.Key)
        .Select(group => (
            group.Key, group.Count(), group.Sum(tensor => tensor.ElementCount * tensor.ElementType.ByteCount())));

    /// <summary>Writes the report for people.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console)
    {
        ReportText text = new(console);
        text.Line($"model: {Name}");
        text.Line($"layers: {Layers()}");
        text.Line($"experts: {Experts()}");
        text.Line(
            $"{Configuration.Rotary.Describe()}; {NumberText.Count(Configuration.MaxPositionEmbeddings)} positions");
        text.Line($"weights: {Stored()}");
        text.Line($"tensors: {Differences()}");
        WriteNames(text, "  missing", Tensors.Missing);
        WriteNames(text, "  wrong", Tensors.Wrong);
        WriteNames(text, "  not used", Tensors.Extra);
        text.Line($"memory: {MemoryText()}");
        text.Line($"tokenizer: {Text?.Tokenizer ?? NoFolder}");
        text.Line($"chat template: {Text?.Format?.Name ?? Text?.FormatFault ?? NoFolder}");
        WriteNames(text, "keys that nothing reads", Configuration.IgnoredKeys);
        foreach (string warning in Warnings)
        {
            text.Line($"warning: {warning}");
        }

        text.Blank();
        WriteParts(console);
    }

    /// <summary>Writes the report for machines.</summary>
    /// <param name="stream">Where to.</param>
    public void WriteJson(Stream stream)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("model", Name);
        json.WriteNumber("layers", Configuration.LayerCount);
        json.WriteNumber("dense_layers", Configuration.FirstDenseLayerCount);
        json.WriteNumber("mtp_layers", Configuration.NextTokenPredictionLayerCount);
        json.WriteNumber("vocabulary", Configuration.VocabularySize);
        json.WriteNumber("positions", Configuration.MaxPositionEmbeddings);
        json.WriteString("rotary", Configuration.Rotary.Describe());
        json.WriteStartArray("parts");
        foreach (PartParameterCount part in Counts.Parts)
        {
            json.WriteStartObject();
            json.WriteString("part", Word(part.Part));
            json.WriteNumber("parameters", part.Total);
            json.WriteNumber("active", part.Active);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("parameters", Counts.Total);
        json.WriteNumber("active", Counts.ActiveWithEmbeddings);
        json.WriteNumber("active_without_embeddings", Counts.ActiveWithoutEmbeddings);
        json.WriteNumber("files", Folder?.Shards.Count ?? 0);
        json.WriteStartArray("types");
        foreach ((ElementType type, int tensors, long bytes) in Types)
        {
            json.WriteStartObject();
            json.WriteString("type", type.HeaderName());
            json.WriteNumber("tensors", tensors);
            json.WriteNumber("bytes", bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteArray(json, "missing", Tensors.Missing);
        WriteArray(json, "wrong", Tensors.Wrong);
        WriteArray(json, "not_used", Tensors.Extra);
        if (Memory is not null)
        {
            json.WriteStartObject("memory");
            json.WriteNumber("context", Memory.ContextLength);
            json.WriteNumber("resident_bytes", Memory.Resident);
            json.WriteNumber("streamed_bytes", Memory.Streamed);
            json.WriteNumber("cache_bytes_per_token", Memory.CachePerToken);
            json.WriteEndObject();
        }

        if (Text is not null)
        {
            json.WriteBoolean("tokenizer_read", Text.TokenizerRead);
            json.WriteString("tokenizer", Text.Tokenizer);
            json.WriteString("template", Text.Format?.Name);
            json.WriteString("template_fault", Text.FormatFault);
        }

        WriteArray(json, "ignored_keys", Configuration.IgnoredKeys);
        WriteArray(json, "warnings", Warnings);
        json.WriteEndObject();
    }

    private string Layers()
    {
        ModelConfiguration model = Configuration;
        string mtp = model.MtpLayerIndex is int index ? $" and an MTP layer ({index})" : string.Empty;
        string tied = model.TieWordEmbeddings ? ", tied" : string.Empty;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{model.LayerCount} ({model.FirstDenseLayerCount} dense){mtp}; hidden {model.HiddenSize}, "
            + $"{model.AttentionHeadCount} query and {model.KeyValueHeadCount} key-value heads of "
            + $"{model.HeadDimension}; vocabulary {NumberText.Count(model.VocabularySize)}{tied}");
    }

    private string Experts() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Configuration.ExpertCount} in {Configuration.GroupCount} groups; a token takes "
        + $"{Configuration.ExpertsPerToken} from {Configuration.ChosenGroupCount} groups, and "
        + $"{Configuration.SharedExpertCount} shared");

    private string Stored()
    {
        string types = string.Join(
            ", ", Types.Select(type => $"{type.Type.HeaderName()} {Size(type.Bytes)}"));
        return Folder is null
            ? "synthetic, made when they are touched"
            : $"{types} in {NumberText.Count(Folder.Shards.Count)} "
                + (Folder.Shards.Count == 1 ? "file" : "files");
    }

    private static string Size(long bytes) =>
        bytes < 100 << 20 ? $"{NumberText.Count(bytes)} bytes" : NumberText.Memory(bytes);

    private string Differences()
    {
        string all = NumberText.Count(Weights.Tensors.Count);
        return Tensors is { Missing.Count: 0, Wrong.Count: 0, Extra.Count: 0 }
            ? $"{all}, all that the configuration needs and no other"
            : $"{all}; {NumberText.Count(Tensors.Missing.Count)} missing, "
                + $"{NumberText.Count(Tensors.Wrong.Count)} wrong, {NumberText.Count(Tensors.Extra.Count)} not used";
    }

    private string MemoryText() => Memory is null
        ? "not known while tensors are missing or wrong"
        : $"{NumberText.Memory(Memory.Resident)} with all matrices resident, {NumberText.Memory(Memory.Streamed)} at "
            + $"least with weights streamed, for {NumberText.Count(Memory.ContextLength)} tokens of context; each "
            + $"takes {NumberText.Count(Memory.CachePerToken)} bytes of cache";

    private void WriteParts(IAnsiConsole console)
    {
        ReportTable table = new(
            new ReportColumn("part", 16),
            new ReportColumn("parameters", 18, Right: true),
            new ReportColumn("active per token", 18, Right: true));
        foreach (PartParameterCount part in Counts.Parts)
        {
            table.Add(Word(part.Part), NumberText.Count(part.Total), NumberText.Count(part.Active));
        }

        table.Add("all", NumberText.Count(Counts.Total), NumberText.Count(Counts.ActiveWithEmbeddings));
        table.Add("no embeddings", string.Empty, NumberText.Count(Counts.ActiveWithoutEmbeddings));
        table.Write(console);
    }

    private static void WriteNames(ReportText text, string head, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
        {
            return;
        }

        string more = names.Count > NamesShown
            ? $" and {NumberText.Count(names.Count - NamesShown)} more (--json)"
            : string.Empty;
        text.Line($"{head}: {string.Join(", ", names.Take(NamesShown))}{more}");
    }

    private static void WriteArray(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    private static string Word(ModelPart part) => part switch
    {
        ModelPart.Embedding => "embedding",
        ModelPart.Attention => "attention",
        ModelPart.Norms => "norms",
        ModelPart.DenseMlp => "dense MLP",
        ModelPart.Router => "router",
        ModelPart.RoutedExperts => "routed experts",
        ModelPart.SharedExperts => "shared experts",
        ModelPart.LmHead => "LM head",
        _ => "MTP layer",
    };
}
