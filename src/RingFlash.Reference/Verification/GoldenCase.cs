using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// A golden case folder: <c>case.json</c>, <c>config.json</c> and <c>golden.safetensors</c>, opened and checked.
/// </summary>
/// <remarks>The format is described in <c>golden/FORMAT.md</c>.</remarks>
public sealed class GoldenCase : IDisposable
{
    /// <summary>The format that is read.</summary>
    public const string Format = "ringflash-golden/1";

    /// <summary>The kind of weights that are regenerated.</summary>
    public const string SyntheticWeights = "synthetic";

    /// <summary>The kind of weights whose quantised matrices are stored, the rest being regenerated.</summary>
    public const string Float8Weights = "synthetic+fp8-block";

    /// <summary>The kind of weights that lie in a checkpoint, which the reader has to name.</summary>
    public const string CheckpointWeights = "checkpoint";

    private const long LargestCaseFile = 1 << 20;

    private readonly string? checkpoint;

    private GoldenCase(
        string folder,
        JsonElement description,
        SafetensorsFile file,
        ModelConfiguration? configuration,
        string? checkpoint)
    {
        this.checkpoint = checkpoint;
        Folder = folder;
        File = file;
        Configuration = configuration;
        string path = Path.Combine(folder, "case.json");
        Name = Text(description, path, "name");
        Kind = Text(description, path, "kind");
        Precision = Text(description, path, "precision");
        string seed = Text(description, path, "seed");
        Seed = ulong.TryParse(seed, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new InvalidInputException(path, "$.seed", $"\"{seed}\" is not an unsigned 64-bit decimal number");
        bool hasWeights = description.TryGetProperty("weights", out JsonElement weights)
            && weights.ValueKind == JsonValueKind.Object;
        WeightsKind = hasWeights ? Text(weights, path, "kind") : "none";
        WeightsAlgorithm = hasWeights && weights.TryGetProperty("algorithm", out _)
            ? Text(weights, path, "algorithm")
            : "without an algorithm";
        JsonElement inputs = description.TryGetProperty("inputs", out JsonElement found) ? found : default;
        UsesCache = inputs.ValueKind == JsonValueKind.Object
            && inputs.TryGetProperty("use_cache", out JsonElement useCache)
            && useCache.ValueKind == JsonValueKind.True;
        IsTraining = inputs.ValueKind == JsonValueKind.Object
            && inputs.TryGetProperty("mode", out JsonElement mode)
            && mode.ValueKind == JsonValueKind.String
            && mode.GetString() == "train";
        IsOwnCapture = description.TryGetProperty("source", out JsonElement source)
            && source.ValueKind == JsonValueKind.Object
            && source.TryGetProperty("captured_by", out JsonElement maker)
            && maker.ValueKind == JsonValueKind.String
            && maker.ValueEquals(CaseCapture.OwnModel);
        if (Precision is not ("float32" or "bfloat16"))
        {
            throw new InvalidInputException(path, "$.precision", $"\"{Precision}\" is neither float32 nor bfloat16");
        }
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The case's name.</summary>
    public string Name { get; }

    /// <summary><c>model</c>, <c>rope-tables</c>, <c>fp8-gemm</c>, or something newer.</summary>
    public string Kind { get; }

    /// <summary><c>float32</c> or <c>bfloat16</c>.</summary>
    public string Precision { get; }

    /// <summary>Of the synthetic weights.</summary>
    public ulong Seed { get; }

    /// <summary>
    /// <c>synthetic</c>, <c>synthetic+fp8-block</c>, <c>checkpoint</c>, <c>stored</c> or <c>none</c>.
    /// </summary>
    public string WeightsKind { get; }

    /// <summary>How synthetic weights are made.</summary>
    public string WeightsAlgorithm { get; }

    /// <summary>Whether the weights of a model can be had here.</summary>
    public bool HasKnownWeights =>
        (WeightsKind is SyntheticWeights or Float8Weights && WeightsAlgorithm == SyntheticSource.Algorithm)
        || (WeightsKind == CheckpointWeights && checkpoint is not null);

    /// <summary>Whether our own model made the case: agreement then shows only that nothing has changed.</summary>
    public bool IsOwnCapture { get; }

    /// <summary>Whether the case decodes with a cache.</summary>
    public bool UsesCache { get; }

    /// <summary>Whether the case holds gradients.</summary>
    public bool IsTraining { get; }

    /// <summary>The configuration; null for kinds without a model.</summary>
    public ModelConfiguration? Configuration { get; }

    /// <summary>Inputs and taps.</summary>
    public SafetensorsFile File { get; }

    /// <summary>Opens a case.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="checkpoint">The checkpoint that a case of real weights is run with; null for none.</param>
    /// <returns>The case.</returns>
    /// <exception cref="InvalidInputException">A file breaks a rule.</exception>
    /// <exception cref="EnvironmentException">A file is missing.</exception>
    public static GoldenCase Open(string folder, string? checkpoint = null)
    {
        string path = Path.Combine(folder, "case.json");
        byte[] json = ReadSmallFile(path);
        using JsonDocument document = StrictJson.Parse(json, path);
        JsonElement description = document.RootElement;
        if (description.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(path, "$", "a case must be a JSON object");
        }

        string format = Text(description, path, "format");
        if (format != Format)
        {
            throw new InvalidInputException(
                path, "$.format", $"\"{format}\" is not {Format}; is the case newer than this tool?");
        }

        string configurationPath = Path.Combine(folder, "config.json");
        ModelConfiguration? configuration = System.IO.File.Exists(configurationPath)
            ? ConfigurationReader.ReadFile(configurationPath)
            : null;
        SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        try
        {
            return new GoldenCase(folder, description, file, configuration, checkpoint);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds cases: a case folder itself, or the case folders directly inside.</summary>
    /// <param name="path">A folder.</param>
    /// <returns>Case folders in the order of their names.</returns>
    /// <exception cref="EnvironmentException">There is none.</exception>
    public static IReadOnlyList<string> Find(string path)
    {
        if (System.IO.File.Exists(Path.Combine(path, "case.json")))
        {
            return [path];
        }

        string[] folders = Directory.Exists(path)
            ? [.. Directory.GetDirectories(path)
                .Where(folder => System.IO.File.Exists(Path.Combine(folder, "case.json")))
                .Order(StringComparer.Ordinal)]
            : throw new EnvironmentException(path, "no such folder");
        return folders.Length > 0
            ? folders
            : throw new EnvironmentException(
                path, "no golden case here: neither case.json nor a folder that holds one");
    }

    /// <summary>The weights of the case for one of its models.</summary>
    /// <param name="configuration">The case's configuration, or a variant of it.</param>
    /// <returns>The source; it may read from <see cref="File"/>, which stays open with the case.</returns>
    /// <exception cref="InvalidInputException">The kind of weights is unknown.</exception>
    public IWeightSource OpenWeights(ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ModelConfiguration plain = configuration with { Quantization = null };
        SyntheticSource synthetic = new($"synthetic:{Name}@{Seed}", Seed, TensorCatalog.For(plain));
        return WeightsKind switch
        {
            SyntheticWeights => synthetic,
            Float8Weights => new OverlaySource(File, synthetic, "weights.", ownsFirst: false),
            CheckpointWeights when checkpoint is not null => CheckpointFolder.Open(checkpoint),
            _ => throw new InvalidInputException(
                Path.Combine(Folder, "case.json"),
                "$.weights.kind",
                $"\"{WeightsKind}\" is not a kind of weights known here"),
        };
    }

    /// <summary>Whether the case holds a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>Whether.</returns>
    public bool Holds(string name) => File.TryGetTensor(name, out _);

    /// <summary>An integer input.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The values, or null when the case has none.</returns>
    public long[]? Integers(string name) =>
        File.TryGetTensor(name, out TensorInfo? tensor) ? File.ReadInt64(tensor) : null;

    /// <summary>An integer input that must be there.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its axes.</param>
    /// <returns>The values.</returns>
    public long[] RequireIntegers(string name, out IReadOnlyList<long> shape)
    {
        TensorInfo tensor = File.RequireTensor(name);
        shape = tensor.Shape;
        return File.ReadInt64(tensor);
    }

    /// <summary>Refuses a tensor whose axes do not fit the configuration and the inputs.</summary>
    /// <param name="name">Its name; nothing is checked when the case has no such tensor.</param>
    /// <param name="shape">The axes that it must have.</param>
    /// <exception cref="InvalidInputException">It has others.</exception>
    public void CheckShape(string name, params long[] shape)
    {
        if (File.TryGetTensor(name, out TensorInfo? tensor) && !tensor.Shape.SequenceEqual(shape))
        {
            throw new InvalidInputException(
                File.Description,
                $"tensor \"{name}\"",
                $"shape {tensor.ShapeText}; the configuration and the inputs need {TensorInfo.FormatShape(shape)}");
        }
    }

    /// <summary>Refuses an integer tensor with a value outside a range.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Its values.</param>
    /// <param name="isAllowed">Whether a value is allowed.</param>
    /// <param name="rule">What is allowed, in words.</param>
    /// <exception cref="InvalidInputException">A value is not allowed.</exception>
    public void CheckValues(string name, long[]? values, Func<long, bool> isAllowed, string rule)
    {
        int bad = Array.FindIndex(values ?? [], value => !isAllowed(value));
        if (bad >= 0)
        {
            throw new InvalidInputException(
                File.Description, $"tensor \"{name}\"", $"{values![bad]} at {bad}; {rule}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();

    private static byte[] ReadSmallFile(string path)
    {
        FileInfo info = new(path);
        if (!info.Exists)
        {
            throw new EnvironmentException(path, "no such file");
        }

        return info.Length <= LargestCaseFile
            ? System.IO.File.ReadAllBytes(path)
            : throw new InvalidInputException(
                path, string.Empty, $"{info.Length} bytes; a case description has at most {LargestCaseFile}");
    }

    private static string Text(JsonElement element, string path, string key)
    {
        if (!element.TryGetProperty(key, out JsonElement value) || value.ValueKind != JsonValueKind.String)
        {
            throw new InvalidInputException(path, $"$.{key}", "a string is required");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            // A lone surrogate escape passes the parser and fails here.
            throw new InvalidInputException(path, $"$.{key}", "the string is not valid Unicode", exception);
        }
    }
}
