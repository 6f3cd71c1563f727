// Shared by the model tests. Red here: the configuration reader refuses, or the catalogue lacks, a small legal model.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Tests.Model;

/// <summary>
/// Small models with awkward sizes: nothing is a multiple of 16, 32 or 128 unless a test asks for it, and the hidden
/// width crosses one block of 128. They pass through the reader, so it is exercised as well.
/// </summary>
internal static class TinyModels
{
    public static ModelConfiguration Read(params (string Key, object? Value)[] changes) =>
        Read(MtpConvention.Detect, changes);

    public static ModelConfiguration Read(MtpConvention convention, params (string Key, object? Value)[] changes)
    {
        Dictionary<string, object?> values = new()
        {
            ["architectures"] = new[] { "BailingMoeV2ForCausalLM" },
            ["model_type"] = "bailing_moe",
            ["hidden_act"] = "silu",
            ["hidden_size"] = 140,
            ["num_hidden_layers"] = 2,
            ["first_k_dense_replace"] = 1,
            ["num_attention_heads"] = 6,
            ["num_key_value_heads"] = 3,
            ["head_dim"] = 20,
            ["partial_rotary_factor"] = 0.5,
            ["rope_theta"] = 10000,
            ["max_position_embeddings"] = 32768,
            ["intermediate_size"] = 150,
            ["moe_intermediate_size"] = 37,
            ["num_experts"] = 12,
            ["n_group"] = 3,
            ["topk_group"] = 2,
            ["num_experts_per_tok"] = 3,
            ["num_shared_experts"] = 1,
            ["routed_scaling_factor"] = 2.5,
            ["rms_norm_eps"] = 1e-6,
            ["vocab_size"] = 203,
            ["pad_token_id"] = 7,
            ["num_nextn_predict_layers"] = 1,
            ["mtp_loss_scaling_factor"] = 0.3,
        };
        foreach ((string key, object? value) in changes)
        {
            values[key] = value;
        }

        return ConfigurationReader.Read(JsonSerializer.SerializeToUtf8Bytes(values), "tiny", convention);
    }

    /// <summary>The value of <c>quantization_config</c> for block FP8.</summary>
    public static object Float8Blocks => new Dictionary<string, object>
    {
        ["quant_method"] = "fp8",
        ["fmt"] = "e4m3",
        ["activation_scheme"] = "dynamic",
        ["weight_block_size"] = new[] { 128, 128 },
    };

    /// <summary>Synthetic weights; where the configuration is quantised they are quantised in memory.</summary>
    public static IWeightSource Source(ModelConfiguration configuration, ulong seed = 11)
    {
        SyntheticSource synthetic = new("tiny", seed, [.. TensorCatalog.For(configuration)]);
        return configuration.Quantization is null ? synthetic : new Float8Source(synthetic);
    }

    public static ModelWeights Weights(ModelConfiguration configuration, ulong seed = 11, bool bfloat16 = false) =>
        new(Source(configuration, seed), configuration, bfloat16);

    /// <summary>Token ids that repeat for the same seed.</summary>
    public static long[] Ids(ModelConfiguration configuration, int count, ulong seed = 5) =>
        [.. Enumerable.Range(0, count)
            .Select(index => (long)SyntheticSource.InputId(seed, index, configuration.VocabularySize))];
}
