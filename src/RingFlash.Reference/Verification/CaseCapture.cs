using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Runs our own model and writes what it computed as a golden-format case. Such a case shows later that nothing has
/// changed; it is no authority on what is right, and it says so.
/// </summary>
public static class CaseCapture
{
    /// <summary>Who a captured case names as its maker.</summary>
    internal const string OwnModel = "RingFlash.Reference";

    /// <summary>Captures.</summary>
    /// <param name="options">What.</param>
    /// <param name="folder">The case folder; must not exist, or be empty.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="progress">Told a step in words and the share that is done; or null.</param>
    /// <param name="cancellation">Stops between operators; nothing is left behind.</param>
    /// <returns>What the case holds.</returns>
    /// <exception cref="InvalidInputException">The weights do not fit the configuration.</exception>
    /// <exception cref="EnvironmentException">The folder holds something, or the disk is full.</exception>
    public static CaptureResult Run(
        CaptureOptions options,
        string folder,
        WorkerPool workers,
        IProgress<(string Step, double Fraction)>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        RequireEmpty(folder);
        ModelConfiguration configuration = options.Configuration;
        TensorCatalog.Check(configuration, options.Weights);
        TouchedSource weights = new(options.Weights);
        int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        CaptureTrace trace = new(options, name =>
        {
            cancellation.ThrowIfCancellationRequested();
            ReportLayer(progress, name, layers);
        });
        using EngineOperators engines = new();
        ForwardOperators<float> operators = engines.Create(
            options.Engine, options.BFloat16 ? BFloat16Precision.Name : Float32Precision.Name, workers);
        ModelWeights modelWeights = new(weights, configuration, options.BFloat16);
        using (Residency(options, modelWeights, workers))
        {
            ForwardInput input = new([.. options.Ids.Select(id => (long)id)], 1);
            ModelParts parts = new(configuration, weights, modelWeights, operators, input)
            {
                RoundWeights = options.BFloat16,
            };
            (options.Variation?.Invoke(parts) ?? parts).Run(trace);
        }

        progress?.Report(("hashing the weights that were read", (double)layers / (layers + 1)));
        IReadOnlyList<WeightFingerprint> fingerprints = options.Weights is CheckpointFolder checkpoint
            ? WeightFingerprint.Of(checkpoint, weights.Touched, workers, cancellation)
            : [];
        Write(options, folder, trace.Contents, fingerprints);
        return new CaptureResult(
            folder,
            trace.Contents.Count,
            trace.Contents.Sum(content => content.Tensor.ElementCount),
            fingerprints);
    }

    private static WeightResidency? Residency(CaptureOptions options, ModelWeights weights, WorkerPool workers)
    {
        if (options.MemoryLimit is not long limit)
        {
            return null;
        }

        ModelConfiguration configuration = options.Configuration;
        int layers = options.Layers?.Count ?? configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        long kept = (long)sizeof(float) * options.Ids.Count // input, output and router of a layer, and the logits
            * ((layers * ((2L * configuration.HiddenSize) + (2L * configuration.ExpertCount)))
                + (2L * configuration.VocabularySize));
        long others = kept + ForwardMemory.Bytes(configuration, 1, options.Ids.Count, 0);
        return new WeightResidency(weights, ForwardMemory.ForWeights(limit, weights, others), workers.ThreadCount);
    }

    private static void ReportLayer(IProgress<(string Step, double Fraction)>? progress, string name, int layers)
    {
        if (name.Split('.') is ["model", "layers", string number, "input_layernorm", "output"])
        {
            int layer = int.Parse(number, CultureInfo.InvariantCulture);
            progress?.Report(($"layer {layer + 1} of {layers}", (double)layer / (layers + 1)));
        }
    }

    private static void RequireEmpty(string folder)
    {
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new EnvironmentException(folder, "is there already and not empty; nothing was changed");
        }
    }

    // Into a folder of a temporary name, which then gets the real one: a case is there whole or not at all.
    private static void Write(
        CaptureOptions options,
        string folder,
        List<SafetensorsContent> contents,
        IReadOnlyList<WeightFingerprint> fingerprints)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string name = Path.GetFileName(target);
        string temporary = Path.Combine(Path.GetDirectoryName(target)!, $".{name}.{Path.GetRandomFileName()}.tmp");
        try
        {
            Directory.CreateDirectory(temporary);
            SafetensorsWriter.Write(
                Path.Combine(temporary, "golden.safetensors"),
                [.. Inputs(options.Ids), .. contents],
                new Dictionary<string, string> { ["case"] = name });
            AtomicFile.Write(
                Path.Combine(temporary, "config.json"), stream => stream.Write(options.ConfigurationJson));
            if (fingerprints.Count > 0)
            {
                AtomicFile.Write(
                    Path.Combine(temporary, CaseWeights.FileName), stream => CaseWeights.Write(stream, fingerprints));
            }

            AtomicFile.Write(Path.Combine(temporary, "case.json"), stream => WriteCase(stream, name, options));
            if (Directory.Exists(target))
            {
                Directory.Delete(target); // empty: checked at the start, and this refuses anything else
            }

            Directory.Move(temporary, target);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(folder, $"cannot be written: {exception.Message}", exception);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    private static SafetensorsContent[] Inputs(IReadOnlyList<int> ids)
    {
        long[] shape = [1, ids.Count];
        long[] values = [.. ids.Select(id => (long)id)], ones = new long[ids.Count];
        Array.Fill(ones, 1);
        return
        [
            SafetensorsContent.FromInt64("input_ids", shape, values),
            SafetensorsContent.FromInt64("attention_mask", shape, ones),
            SafetensorsContent.FromInt64(
                "position_ids", shape, Enumerable.Range(0, ids.Count).Select(position => (long)position).ToArray()),
        ];
    }

    private static void WriteCase(Stream stream, string name, CaptureOptions options)
    {
        SyntheticSource? synthetic = options.Weights as SyntheticSource;
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("format", GoldenCase.Format);
        json.WriteString("name", name);
        json.WriteString("kind", "model");
        json.WriteString("precision", options.BFloat16 ? "bfloat16" : "float32");
        json.WriteString("seed", (synthetic?.Seed ?? 0).ToString(CultureInfo.InvariantCulture));
        json.WriteStartObject("weights");
        if (synthetic is not null)
        {
            json.WriteString("kind", GoldenCase.SyntheticWeights);
            json.WriteString("algorithm", SyntheticSource.Algorithm);
        }
        else
        {
            json.WriteString("kind", GoldenCase.CheckpointWeights);
            json.WriteString("list", CaseWeights.FileName);
        }

        json.WriteEndObject();
        json.WriteString("config", "config.json");
        json.WriteStartObject("inputs");
        json.WriteNumber("batch", 1);
        json.WriteNumber("sequence_length", options.Ids.Count);
        json.WriteString("attention_mask", "all ones");
        json.WriteString("position_ids", "0..T-1");
        json.WriteNumber("position_offset", 0);
        json.WriteBoolean("use_cache", false);
        json.WriteString("mode", "eval");
        json.WriteEndObject();
        json.WriteStartObject("source");
        json.WriteString("captured_by", OwnModel);
        json.WriteString(
            "model_code", $"RingFlash.Reference {options.ToolVersion}, its own forward pass: not an outside authority");
        json.WriteString("engine", options.Engine.Word());
        json.WriteString("model", options.Weights.Description);
        json.WriteEndObject();
        json.WriteStartArray("notes");
        string layers = options.Layers is null
            ? "all"
            : string.Join(", ", options.Layers.Order().Select(layer => layer.ToString(CultureInfo.InvariantCulture)));
        json.WriteStringValue($"layers with boundary and router taps: {layers}");
        if (options.Variation is not null)
        {
            json.WriteStringValue($"made wrong on purpose: {options.VariationName}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
