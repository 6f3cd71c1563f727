using System;
using System.Collections.Frozen;
using System.Collections.Generic;

namespace RingFlash.Reference.Configuration;

// The two texts and the evidence for each value. "seen" was read in a published source, "counted"
// follows from published parameter counts, "inferred" is believed and read nowhere.
public static partial class BuiltInConfigurations
{
    private static readonly FrozenDictionary<string, string> CommonBasis = new Dictionary<string, string>
    {
        ["architectures"] = "seen: saved hub record of Ling-flash-2.0 and the published converter",
        ["auto_map"] = "seen: saved hub record of Ling-flash-2.0 and the published converter",
        ["model_type"] = "seen: saved hub record of Ling-flash-2.0 and the published converter; not bailing_moe_v2",
        ["head_dim"] = "class default 128; the converter derives hidden_size / num_attention_heads",
        ["num_shared_experts"] = "seen: published converter; agrees with the parameter count",
        ["norm_topk_prob"] = "seen: published converter; the published code never reads it",
        ["score_function"] = "seen: published converter and training scripts; the published code is always sigmoid",
        ["moe_router_enable_expert_bias"] =
            "seen: class default, converter, training scripts; the published code never reads it",
        ["router_dtype"] = "seen: published converter and training scripts; the published router is always float32",
        ["use_qk_norm"] = "seen: class default, converter, training scripts",
        ["use_rmsnorm"] = "seen: published converter; only vLLM reads it",
        ["rms_norm_eps"] = "seen: class default and training scripts; GGUF metadata of Ring-mini-2.0",
        ["rope_scaling"] = "seen: published converter writes null; YaRN is switched on by the user",
        ["pad_token_id"] = "seen: class default, converter and tokenizer files",
        ["eos_token_id"] = "inferred: class default and the converter's rule; Ling's SFT tokenizers use 156895",
        ["tie_word_embeddings"] = "counted: two embedding matrices are in the parameter count; class default",
        ["use_bias"] = "seen: class default and converter",
        ["use_qkv_bias"] = "seen: class default and converter",
        ["hidden_act"] = "seen: class default and converter",
        ["attention_dropout"] = "seen: class default and converter",
        ["embedding_dropout"] = "seen: class default and converter",
        ["output_dropout"] = "seen: class default and converter",
        ["mtp_loss_scaling_factor"] =
            "class default 0; training scripts use 0.1; without an MTP layer it has no effect",
        ["torch_dtype"] = "seen: published converter and the saved hub record of Ling-flash-2.0",
        ["transformers_version"] = "seen: published converter",
        ["use_cache"] = "seen: class default and converter",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> FlashBasis = new Dictionary<string, string>
    {
        ["hidden_size"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["num_hidden_layers"] =
            "counted: reproduces the parameter record of Ling-flash-2.0 exactly; llama.cpp's model-size switch",
        ["num_attention_heads"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["num_key_value_heads"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["intermediate_size"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["moe_intermediate_size"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["moe_shared_expert_intermediate_size"] =
            "counted: reproduces the parameter record of Ling-flash-2.0 exactly; the published code never reads it",
        ["num_experts"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["num_experts_per_tok"] = "counted: active parameters 6.152 B against the published 6.1 B",
        ["first_k_dense_replace"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly",
        ["n_group"] = "inferred: from mini and class default",
        ["topk_group"] = "inferred: from mini and class default",
        ["routed_scaling_factor"] = "inferred: from mini; the class default is 1.0",
        ["partial_rotary_factor"] = "seen: vLLM pull request 43770 quotes the config of Ling-flash-2.0",
        ["rope_theta"] =
            "inferred: from mini and class default; uncertain for checkpoints of the 4K stage, trained with 10000",
        ["max_position_embeddings"] = "seen: model card, 32K to 128K with YaRN",
        ["vocab_size"] = "counted: reproduces the parameter record of Ling-flash-2.0 exactly; class default",
        ["num_nextn_predict_layers"] =
            "counted: the parameter record of Ling-flash-2.0 holds no MTP layer; class default",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> MiniBasis = new Dictionary<string, string>
    {
        ["hidden_size"] =
            "seen: training scripts and GGUF metadata of Ring-mini-2.0; the published totals 16.26 B and 1.43 B follow",
        ["num_hidden_layers"] =
            "seen: training scripts and GGUF metadata of Ring-mini-2.0; the published totals 16.26 B and 1.43 B follow",
        ["num_attention_heads"] = "seen: training scripts and GGUF metadata of Ring-mini-2.0",
        ["num_key_value_heads"] = "seen: training scripts and GGUF metadata of Ring-mini-2.0",
        ["intermediate_size"] = "seen: training scripts and GGUF metadata of Ring-mini-2.0",
        ["moe_intermediate_size"] = "seen: training scripts; the published totals 16.26 B and 1.43 B follow",
        ["moe_shared_expert_intermediate_size"] = "seen: training scripts; the published code never reads it",
        ["num_experts"] = "seen: training scripts; the published totals 16.26 B and 1.43 B follow",
        ["num_experts_per_tok"] = "seen: training scripts and GGUF metadata of Ring-mini-2.0",
        ["first_k_dense_replace"] = "seen: text of NeMo pull request 2255; the published totals follow",
        ["n_group"] = "seen: training scripts and class default",
        ["topk_group"] = "seen: training scripts and class default",
        ["routed_scaling_factor"] = "seen: training scripts; the class default is 1.0",
        ["partial_rotary_factor"] = "seen: training scripts and converter",
        ["rope_theta"] =
            "seen: GGUF metadata of Ring-mini-2.0 and the 32K training script; checkpoints of the 4K stage have 10000",
        ["max_position_embeddings"] = "seen: GGUF metadata of Ring-mini-2.0",
        ["vocab_size"] = "seen: class default and training scripts",
        ["num_nextn_predict_layers"] = "seen: a port states that mini ships 0; class default",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private const string FlashJson =
        """
        {
          "architectures": ["BailingMoeV2ForCausalLM"],
          "auto_map": {
            "AutoConfig": "configuration_bailing_moe_v2.BailingMoeV2Config",
            "AutoModel": "modeling_bailing_moe_v2.BailingMoeV2Model",
            "AutoModelForCausalLM": "modeling_bailing_moe_v2.BailingMoeV2ForCausalLM"
          },
          "model_type": "bailing_moe",
          "hidden_size": 4096,
          "num_hidden_layers": 32,
          "num_attention_heads": 32,
          "num_key_value_heads": 4,
          "head_dim": 128,
          "intermediate_size": 9216,
          "moe_intermediate_size": 1024,
          "moe_shared_expert_intermediate_size": 1024,
          "num_experts": 256,
          "num_experts_per_tok": 8,
          "num_shared_experts": 1,
          "first_k_dense_replace": 1,
          "n_group": 8,
          "topk_group": 4,
          "norm_topk_prob": true,
          "score_function": "sigmoid",
          "moe_router_enable_expert_bias": true,
          "routed_scaling_factor": 2.5,
          "router_dtype": "fp32",
          "use_qk_norm": true,
          "use_rmsnorm": true,
          "rms_norm_eps": 1e-06,
          "partial_rotary_factor": 0.5,
          "rope_theta": 600000,
          "rope_scaling": null,
          "max_position_embeddings": 32768,
          "vocab_size": 157184,
          "pad_token_id": 156892,
          "eos_token_id": 156892,
          "tie_word_embeddings": false,
          "use_bias": false,
          "use_qkv_bias": false,
          "hidden_act": "silu",
          "attention_dropout": 0.0,
          "embedding_dropout": 0.0,
          "output_dropout": 0.0,
          "num_nextn_predict_layers": 0,
          "mtp_loss_scaling_factor": 0.0,
          "torch_dtype": "bfloat16",
          "transformers_version": "4.52.3",
          "use_cache": true
        }

        """;

    private const string MiniJson =
        """
        {
          "architectures": ["BailingMoeV2ForCausalLM"],
          "auto_map": {
            "AutoConfig": "configuration_bailing_moe_v2.BailingMoeV2Config",
            "AutoModel": "modeling_bailing_moe_v2.BailingMoeV2Model",
            "AutoModelForCausalLM": "modeling_bailing_moe_v2.BailingMoeV2ForCausalLM"
          },
          "model_type": "bailing_moe",
          "hidden_size": 2048,
          "num_hidden_layers": 20,
          "num_attention_heads": 16,
          "num_key_value_heads": 4,
          "head_dim": 128,
          "intermediate_size": 5120,
          "moe_intermediate_size": 512,
          "moe_shared_expert_intermediate_size": 512,
          "num_experts": 256,
          "num_experts_per_tok": 8,
          "num_shared_experts": 1,
          "first_k_dense_replace": 1,
          "n_group": 8,
          "topk_group": 4,
          "norm_topk_prob": true,
          "score_function": "sigmoid",
          "moe_router_enable_expert_bias": true,
          "routed_scaling_factor": 2.5,
          "router_dtype": "fp32",
          "use_qk_norm": true,
          "use_rmsnorm": true,
          "rms_norm_eps": 1e-06,
          "partial_rotary_factor": 0.5,
          "rope_theta": 600000,
          "rope_scaling": null,
          "max_position_embeddings": 32768,
          "vocab_size": 157184,
          "pad_token_id": 156892,
          "eos_token_id": 156892,
          "tie_word_embeddings": false,
          "use_bias": false,
          "use_qkv_bias": false,
          "hidden_act": "silu",
          "attention_dropout": 0.0,
          "embedding_dropout": 0.0,
          "output_dropout": 0.0,
          "num_nextn_predict_layers": 0,
          "mtp_loss_scaling_factor": 0.0,
          "torch_dtype": "bfloat16",
          "transformers_version": "4.52.3",
          "use_cache": true
        }

        """;
}
