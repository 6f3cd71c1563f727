using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// The keys of a candidate's <c>config.json</c> that change numbers and differ from the reference. It is read as it
/// stands and not as a configuration of ours: a key that another engine misses is what one wants to hear of.
/// </summary>
internal static class ConfigurationDifference
{
    private const int LargestFile = 1 << 20;

    // What the published code does whatever the key says, and which other engine does otherwise (shared facts, 7).
    private static readonly (string Key, object Published, string Absent)[] Fixed =
    [
        ("hidden_act", "silu", string.Empty),
        ("score_function", "sigmoid", "vLLM then takes softmax"),
        ("router_dtype", "fp32", "SGLang and vLLM then run the router in the model's type"),
        ("moe_router_enable_expert_bias", true, "SGLang and vLLM then drop the expert bias"),
        ("norm_topk_prob", true, string.Empty),
        ("use_rmsnorm", true, "vLLM then takes LayerNorm for queries and keys"),
        ("norm_head", false, string.Empty),
        ("use_sliding_window", false, string.Empty),
    ];

    /// <summary>Finds them.</summary>
    /// <param name="configuration">The reference's.</param>
    /// <param name="folder">Where the candidate's <c>config.json</c> may lie; null for nowhere.</param>
    /// <returns>One finding per key, or one that says that there is none.</returns>
    public static IReadOnlyList<PreflightFinding> Find(ModelConfiguration configuration, string? folder)
    {
        const string Id = "config";
        string path = Path.Combine(folder ?? ".", "config.json");
        if (folder is null || !File.Exists(path))
        {
            return [new PreflightFinding(Id, PreflightSeverity.Fine, "config.json: not beside the dump")];
        }

        JsonDocument document;
        try
        {
            document = StrictJson.Parse(SmallFile.Read(path, LargestFile, "a configuration"), path);
        }
        catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
        {
            return [new PreflightFinding(Id, PreflightSeverity.Warning, exception.Message)];
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                return [new PreflightFinding(Id, PreflightSeverity.Warning, $"{path}: holds no object")];
            }

            PreflightFinding[] findings = [.. Differences(configuration, document.RootElement)];
            return findings.Length > 0
                ? findings
                : [new PreflightFinding(Id, PreflightSeverity.Fine, "config.json: equal in all that changes numbers")];
        }
    }

    private static IEnumerable<PreflightFinding> Differences(ModelConfiguration ours, JsonElement theirs)
    {
        (string Key, object? Value)[] values =
        [
            ("hidden_size", ours.HiddenSize), ("num_hidden_layers", ours.DeclaredLayerCount),
            ("num_attention_heads", ours.AttentionHeadCount), ("num_key_value_heads", ours.KeyValueHeadCount),
            ("head_dim", ours.HeadDimension), ("intermediate_size", ours.IntermediateSize),
            ("moe_intermediate_size", ours.ExpertIntermediateSize), ("num_experts", ours.ExpertCount),
            ("num_experts_per_tok", ours.ExpertsPerToken), ("num_shared_experts", ours.SharedExpertCount),
            ("first_k_dense_replace", ours.FirstDenseLayerCount), ("n_group", ours.GroupCount),
            ("topk_group", ours.ChosenGroupCount), ("routed_scaling_factor", ours.RoutedScalingFactor),
            ("rms_norm_eps", ours.RmsNormEpsilon), ("use_qk_norm", ours.UseQueryKeyNorm),
            ("use_qkv_bias", ours.UseQueryKeyValueBias), ("use_bias", ours.UseBias),
            ("rope_theta", ours.Rotary.Theta), ("vocab_size", ours.VocabularySize),
            ("tie_word_embeddings", ours.TieWordEmbeddings),
            ("num_nextn_predict_layers", ours.NextTokenPredictionLayerCount),
        ];
        foreach ((string key, object? value) in values)
        {
            // These have the published class's default where a file leaves them out.
            object? absent = key switch
            {
                "use_qk_norm" => true,
                "use_qkv_bias" or "use_bias" or "tie_word_embeddings" => false,
                "num_nextn_predict_layers" => 0,
                "head_dim" => ours.HiddenSize / Math.Max(1, ours.AttentionHeadCount),
                _ => null,
            };
            if (Difference(key, value, theirs, absent) is PreflightFinding finding)
            {
                yield return finding;
            }
        }

        foreach ((string key, object published, string why) in Fixed)
        {
            if (Difference(key, published, theirs, why.Length == 0 ? published : null, why) is PreflightFinding finding)
            {
                yield return finding;
            }
        }

        foreach (PreflightFinding finding in Rotary(ours, theirs))
        {
            yield return finding;
        }

        bool quantised = theirs.TryGetProperty("quantization_config", out JsonElement quantization)
            && quantization.ValueKind == JsonValueKind.Object;
        if (quantised != ours.Quantization is not null)
        {
            yield return Finding(
                "quantization_config",
                ours.Quantization is null ? "absent" : "fp8",
                quantised ? "given" : "absent",
                string.Empty);
        }
    }

    private static IEnumerable<PreflightFinding> Rotary(ModelConfiguration ours, JsonElement theirs)
    {
        int head = ours.HeadDimension;
        bool hasFactor = Number(theirs, "partial_rotary_factor", out double factor);
        bool hasWidth = Number(theirs, "rotary_dim", out double width);
        int rotated = hasFactor ? (int)(head * factor) : hasWidth ? (int)width : head;
        if (rotated != ours.Rotary.RotaryDimension)
        {
            yield return Finding(
                hasFactor || !hasWidth ? "partial_rotary_factor" : "rotary_dim",
                string.Create(CultureInfo.InvariantCulture, $"{ours.Rotary.RotaryDimension} rotated channels"),
                string.Create(CultureInfo.InvariantCulture, $"{rotated} rotated channels"),
                string.Empty);
        }
        else if (hasFactor && hasWidth)
        {
            yield return Finding(
                "rotary_dim",
                "one of the two keys",
                "partial_rotary_factor and rotary_dim",
                "vLLM at some versions multiplies them, at others rotates all channels");
        }

        bool scales = theirs.TryGetProperty("rope_scaling", out JsonElement scaling)
            && scaling.ValueKind == JsonValueKind.Object;
        if (scales != (ours.Rotary.Scaling != RotaryScalingKind.Default))
        {
            yield return Finding(
                "rope_scaling",
                ours.Rotary.Scaling == RotaryScalingKind.Default ? "absent" : "yarn",
                scales ? scaling.GetRawText() : "absent",
                string.Empty);
        }
        else if (scales && (!Number(scaling, "factor", out double times) || times != ours.Rotary.Factor
            || !Number(scaling, "original_max_position_embeddings", out double length)
            || length != (ours.Rotary.OriginalMaxPositionEmbeddings ?? 0)))
        {
            yield return Finding(
                "rope_scaling", ours.Rotary.Describe(), scaling.GetRawText(), string.Empty);
        }
    }

    private static bool Number(JsonElement json, string key, out double value)
    {
        value = 0;
        return json.TryGetProperty(key, out JsonElement found) && found.ValueKind == JsonValueKind.Number
            && found.TryGetDouble(out value);
    }

    private static PreflightFinding? Difference(
        string key, object? ours, JsonElement theirs, object? absent, string why = "")
    {
        bool given = theirs.TryGetProperty(key, out JsonElement found) && found.ValueKind != JsonValueKind.Null;
        object? value = !given ? absent : found.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number => found.TryGetDouble(out double number) ? number : null,
            JsonValueKind.String => found.GetString(),
            _ => null,
        };
        bool same = ours is int or double
            ? value is int or double && Convert.ToDouble(value, CultureInfo.InvariantCulture)
                .Equals(Convert.ToDouble(ours, CultureInfo.InvariantCulture))
            : Equals(ours, value);
        return same || (ours is 0 && value is null)
            ? null
            : Finding(key, Text(ours), given ? found.GetRawText() : "absent", given ? string.Empty : why);
    }

    private static string Text(object? value) => value switch
    {
        true => "true",
        false => "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value?.ToString() ?? "absent",
    };

    private static PreflightFinding Finding(string key, string ours, string theirs, string why)
    {
        string shown = theirs.Length <= 60 ? theirs : theirs[..60] + "…";
        return new PreflightFinding(
            $"config.{key}",
            PreflightSeverity.Warning,
            InvalidInputException.Escape($"config.json: {key} is {shown} where the reference has {ours}"
                + (why.Length == 0 ? string.Empty : $"; {why}")));
    }
}
