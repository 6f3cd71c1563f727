using System.Collections.Frozen;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace RingFlash.Reference.Configuration;

// The values that need more than a type and a range, and the rules between values.
public static partial class ConfigurationReader
{
    // A checkpoint index with more names than this is refused by the weight readers as well; it also keeps a hostile
    // configuration from asking for a catalogue of gigabytes.
    private const long MaximumTensorCount = 1_000_000;

    /// <summary>
    /// Keys that the published code or Hugging Face writes and that change nothing in the forward pass, so that they
    /// are not worth a line in <see cref="ModelConfiguration.IgnoredKeys"/>.
    /// </summary>
    private static readonly FrozenSet<string> KnownButUnread = FrozenSet.Create(
        "auto_map", "transformers_version", "use_cache", "initializer_range", "output_router_logits",
        "max_window_layers", "bos_token_id", "_name_or_path", "output_attentions", "output_hidden_states",
        "return_dict", "sliding_window");

    private static int ReadHeadDimension(JsonSection section, int hiddenSize, int heads)
    {
        if (section.OptionalInteger("head_dim", 1, 8192) is int given)
        {
            return given;
        }

        if (hiddenSize % heads != 0 || hiddenSize / heads > 8192)
        {
            throw section.Refuse(
                "head_dim",
                $"not given, and hidden_size {hiddenSize} / num_attention_heads {heads} is no whole number up to 8192");
        }

        return hiddenSize / heads;
    }

    private static int ReadNextTokenLayerCount(JsonSection section)
    {
        int count = section.OptionalInteger("num_nextn_predict_layers", 0, 1024) ?? 0;
        return count <= 1
            ? count
            : throw section.Refuse(
                "num_nextn_predict_layers",
                "must be 0 or 1: the published code overwrites its list of MTP states and breaks with more than one; "
                + $"found {count}");
    }

    private static int ReadSharedExpertCount(JsonSection section)
    {
        // null is a value here (the published code then builds no shared experts); a missing key would be a guess.
        if (section.Found("num_shared_experts") == "no such key")
        {
            throw section.Refuse("num_shared_experts", "required (null or 0 for none); found no such key");
        }

        return section.OptionalInteger("num_shared_experts", 0, 1024) ?? 0;
    }

    private static int ReadFirstDenseLayerCount(JsonSection section, int layers)
    {
        int count = section.Integer("first_k_dense_replace", 0, 4096);
        return count <= layers
            ? count
            : throw section.Refuse(
                "first_k_dense_replace", $"must be between 0 and num_hidden_layers {layers}; found {count}");
    }

    private static ValueList<int> ReadEndOfSequence(JsonSection section, int vocabulary)
    {
        const string Key = "eos_token_id";
        return new ValueList<int>(section.Find(Key) switch
        {
            null => [],
            { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() <= 1024 =>
                list.EnumerateArray().Select(item => section.ToInteger(item, Key, 0, vocabulary - 1)),
            JsonElement single => [section.ToInteger(single, Key, 0, vocabulary - 1)],
        });
    }

    private static string? ReadTorchDtype(JsonSection section)
    {
        const string Why = ": no other type is published";
        string? old = section.OptionalChoice("torch_dtype", Why, "bfloat16", "float32", "float16");
        string? current = section.OptionalChoice("dtype", Why, "bfloat16", "float32", "float16");
        return old is not null && current is not null && old != current
            ? throw section.Refuse("dtype", $"must agree with torch_dtype \"{old}\"; found \"{current}\"")
            : old ?? current;
    }

    private static QuantizationConfiguration? ReadQuantization(
        JsonSection section, List<string> ignored, List<string> warnings)
    {
        if (section.OptionalSection("quantization_config") is not JsonSection quantization)
        {
            return null;
        }

        _ = quantization.OptionalChoice("quant_method", ": block FP8 is the only published form", "fp8")
            ?? throw quantization.Refuse("quant_method", "required and must be \"fp8\"");
        _ = quantization.OptionalChoice("fmt", ": block FP8 is the only published form", "e4m3")
            ?? throw quantization.Refuse("fmt", "required and must be \"e4m3\"");
        _ = quantization.OptionalChoice("activation_scheme", ": stored activation scales are not published", "dynamic")
            ?? throw quantization.Refuse("activation_scheme", "required and must be \"dynamic\"");

        int[]? block = quantization.Find("weight_block_size") is { ValueKind: JsonValueKind.Array } list
            && list.GetArrayLength() == 2
            ? [.. list.EnumerateArray().Select(item => quantization.ToInteger(item, "weight_block_size", 1, 1 << 20))]
            : null;
        if (block is not [128, 128])
        {
            throw quantization.Refuse(
                "weight_block_size",
                $"required and must be [128, 128]; found {quantization.Found("weight_block_size")}");
        }

        foreach (string key in new[] { "modules_to_not_convert", "ignored_layers" })
        {
            if (quantization.Has(key))
            {
                warnings.Add($"{quantization.PathOf(key)} is not read: which weights are FP8 is seen from the tensors");
            }
        }

        ignored.AddRange(quantization.UnaskedKeys.Select(quantization.PathOf));
        return new QuantizationConfiguration();
    }

    private static void CheckGroups(ModelConfiguration configuration, JsonSection section)
    {
        int experts = configuration.ExpertCount;
        int groups = configuration.GroupCount;
        if (groups < 1)
        {
            throw section.Refuse(
                "n_group",
                "must be at least 1: 0, which the converter writes for \"no groups\", raises in the published gate; "
                + $"found {groups}");
        }

        if (experts % groups != 0)
        {
            throw section.Refuse("num_experts", $"must be divisible by n_group {groups}; found {experts}");
        }

        if (experts / groups < 2)
        {
            throw section.Refuse(
                "n_group",
                $"must leave at least 2 experts per group: a group's score is the sum of its two best; found {groups} "
                + $"for num_experts {experts}");
        }

        int chosen = configuration.ChosenGroupCount;
        if (chosen < 1 || chosen > groups)
        {
            throw section.Refuse("topk_group", $"must be between 1 and n_group {groups}; found {chosen}");
        }

        int candidates = chosen * (experts / groups);
        if (configuration.ExpertsPerToken > candidates)
        {
            throw section.Refuse(
                "num_experts_per_tok",
                $"must not exceed the {candidates} experts in topk_group {chosen} groups of {experts / groups}; found "
                + $"{configuration.ExpertsPerToken}");
        }
    }

    private static void CheckSize(ModelConfiguration configuration, JsonSection section)
    {
        if (configuration.LayerCount < 1)
        {
            throw section.Refuse(
                "num_hidden_layers",
                $"must leave a main layer: {configuration.DeclaredLayerCount} counted the Ring-V2 way is only the MTP"
                + " layer");
        }

        long perLayer = 16 + (3L * configuration.ExpertCount);
        long tensors = perLayer * (configuration.LayerCount + configuration.NextTokenPredictionLayerCount);
        if (tensors > MaximumTensorCount)
        {
            throw section.Refuse(
                "num_experts",
                $"num_hidden_layers {configuration.DeclaredLayerCount} times num_experts {configuration.ExpertCount} "
                + $"makes about {tensors} tensors; at most {MaximumTensorCount}");
        }
    }

    /// <summary>Values that the published code never reads but another back-end obeys: said, not obeyed.</summary>
    private static void WarnAboutIgnoredValues(
        ModelConfiguration configuration, JsonSection section, List<string> warnings)
    {
        if (section.OptionalInteger("moe_shared_expert_intermediate_size", 0, 1 << 30) is int shared
            && shared != configuration.SharedExpertIntermediateSize)
        {
            warnings.Add(
                $"$.moe_shared_expert_intermediate_size {shared} is not read; the published code uses "
                + $"moe_intermediate_size * num_shared_experts = {configuration.SharedExpertIntermediateSize}, while "
                + "SGLang and vLLM prefer the key");
        }

        WarnUnless(section, "norm_topk_prob", true, "the published code always normalises", warnings);
        WarnUnless(section, "moe_router_enable_expert_bias", true, "the published code always adds the bias", warnings);
        WarnUnless(section, "use_rmsnorm", true, "the published norms are RMSNorm; vLLM obeys the key", warnings);
        WarnUnless(section, "norm_head", false, "the published code has none; SGLang and vLLM obey it", warnings);
        WarnUnless(section, "use_sliding_window", false, "the published code has no sliding window", warnings);
        if (section.OptionalText("router_dtype") is string dtype && dtype != "fp32")
        {
            warnings.Add($"$.router_dtype {section.Found("router_dtype")} is not read; the published gate is float32");
        }

        foreach (string key in new[] { "attention_dropout", "embedding_dropout", "output_dropout" })
        {
            if (section.OptionalNumber(key, NumberRule.NotNegative) > 0)
            {
                warnings.Add($"$.{key} {section.Found(key)} is not applied; evaluation has no dropout");
            }
        }
    }

    private static void WarnUnless(JsonSection section, string key, bool expected, string why, List<string> warnings)
    {
        if (section.Boolean(key, absent: expected) != expected)
        {
            warnings.Add($"$.{key} {section.Found(key)} is not read; {why}");
        }
    }
}
