// Red here means that the odd cases below compare with nothing; no product defect.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>
/// Writes a case folder whose taps come from the float64 oracle, for configurations that the shipped goldens do not
/// have.
/// </summary>
internal static class OracleCase
{
    /// <summary>A small configuration as JSON.</summary>
    /// <param name="changes">Keys to replace or add, as JSON text; null removes a key.</param>
    public static string Configuration(params (string Key, string? Json)[] changes)
    {
        Dictionary<string, string> values = new()
        {
            ["architectures"] = "[\"BailingMoeV2ForCausalLM\"]",
            ["model_type"] = "\"bailing_moe\"",
            ["num_hidden_layers"] = "3",
            ["hidden_size"] = "48",
            ["intermediate_size"] = "72",
            ["moe_intermediate_size"] = "24",
            ["first_k_dense_replace"] = "1",
            ["hidden_act"] = "\"silu\"",
            ["max_position_embeddings"] = "32768",
            ["num_attention_heads"] = "4",
            ["num_key_value_heads"] = "2",
            ["head_dim"] = "16",
            ["num_experts"] = "16",
            ["num_experts_per_tok"] = "4",
            ["num_shared_experts"] = "1",
            ["n_group"] = "4",
            ["topk_group"] = "2",
            ["routed_scaling_factor"] = "2.5",
            ["rope_theta"] = "600000",
            ["rope_scaling"] = "null",
            ["partial_rotary_factor"] = "0.5",
            ["rms_norm_eps"] = "1e-06",
            ["use_qk_norm"] = "true",
            ["use_bias"] = "false",
            ["use_qkv_bias"] = "false",
            ["vocab_size"] = "101",
            ["num_nextn_predict_layers"] = "1",
            ["mtp_loss_scaling_factor"] = "0.1",
            ["tie_word_embeddings"] = "false",
        };
        foreach ((string key, string? json) in changes)
        {
            if (json is null)
            {
                values.Remove(key);
            }
            else
            {
                values[key] = json;
            }
        }

        return "{" + string.Join(",", values.Select(entry => $"\"{entry.Key}\":{entry.Value}")) + "}";
    }

    /// <summary>Writes a case.</summary>
    /// <param name="folder">An empty folder.</param>
    /// <param name="configurationJson">The configuration.</param>
    /// <param name="seed">The seed of weights and ids.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="tokens">Tokens per sequence.</param>
    /// <param name="positionOffset">The first position.</param>
    /// <param name="weights">Tensors that replace synthetic ones.</param>
    public static void Write(
        string folder,
        string configurationJson,
        ulong seed = 7,
        int batch = 2,
        int tokens = 11,
        int positionOffset = 0,
        params SafetensorsContent[] weights)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), configurationJson);
        ModelConfiguration configuration =
            ConfigurationReader.Read(Encoding.UTF8.GetBytes(configurationJson), "config.json");
        File.WriteAllText(
            Path.Combine(folder, "case.json"),
            $$$"""
            {"format":"ringflash-golden/1","name":"{{{Path.GetFileName(folder)}}}","kind":"model","precision":"float32",
             "seed":"{{{seed}}}","weights":{"kind":"synthetic+fp8-block","algorithm":"splitmix64-bf16/1"},
             "config":"config.json","inputs":{"use_cache":false,"mode":"eval"}}
            """);
        long[] shape = [batch, tokens];
        long[] ids = [.. Enumerable.Range(0, batch * tokens)
            .Select(index => (long)SyntheticSource.InputId(seed, index, configuration.VocabularySize))];
        long[] positions = [.. ids.Select((_, index) => (long)positionOffset + (index % tokens))];
        List<SafetensorsContent> contents =
        [
            SafetensorsContent.FromInt64("input_ids", shape, ids),
            SafetensorsContent.FromInt64("position_ids", shape, positions),
            SafetensorsContent.FromInt64("labels", shape, ids),
            .. weights,
        ];
        string path = Path.Combine(folder, "golden.safetensors");
        SafetensorsWriter.Write(path, contents);

        using (GoldenCase draft = GoldenCase.Open(folder))
        using (IWeightSource source = draft.OpenWeights(configuration))
        using (WorkerPool workers = new(1))
        {
            Collector collector = new();
            RingFlashModel<double> oracle = new(
                configuration, new ModelWeights(source, configuration, false), new Float64Operators(workers));
            oracle.Forward(new ForwardInput(ids, batch) { Positions = positions, Labels = ids }, null, collector);
            contents.AddRange(collector.Contents);
        }

        SafetensorsWriter.Write(path, contents);
    }

    private sealed class Collector : ForwardTrace<double>
    {
        public List<SafetensorsContent> Contents { get; } = [];

        public override void Tap(string name, HostTensor<double> tensor) =>
            Contents.Add(SafetensorsContent.FromSingle(
                name,
                [.. tensor.Shape.ToArray().Select(axis => (long)axis)],
                Array.ConvertAll(tensor.Values, value => (float)value)));

        public override void TapDecision(string name, RouterDecision<double> decision)
        {
            Contents.Add(SafetensorsContent.FromInt64(
                $"{name}.topk_idx",
                [decision.TopKWeights.Rows, decision.TopK],
                Array.ConvertAll(decision.TopKIndices, index => (long)index)));
            Tap($"{name}.topk_weight", decision.TopKWeights);
            Tap($"{name}.margin", decision.Margins);
        }
    }
}
