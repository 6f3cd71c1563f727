using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// Which tensors a checkpoint holds: names, shapes and published element types, in the order in which the published
/// model registers them.
/// </summary>
public static partial class TensorCatalog
{
    /// <summary>What follows the name of a matrix in the name of its scales: <c>….weight_scale_inv</c>.</summary>
    public const string ScaleSuffix = "_scale_inv";

    /// <summary>Lists the tensors.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>One entry per tensor; scales follow their matrix when the configuration is quantised.</returns>
    public static IReadOnlyList<TensorInfo> For(ModelConfiguration configuration) =>
        [.. Entries(configuration).Select(entry => entry.Info)];

    /// <summary>Lists the tensors with the part of the model that each belongs to.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>The entries, in the order of <see cref="For"/>.</returns>
    public static IReadOnlyList<CatalogTensor> Entries(ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        Builder builder = new(configuration);
        builder.AddModel();
        return builder.Entries;
    }

    private sealed class Builder(ModelConfiguration configuration)
    {
        private readonly int _hidden = configuration.HiddenSize;
        private bool _insideMtp;

        public List<CatalogTensor> Entries { get; } = [];

        public void AddModel()
        {
            Add("model.word_embeddings.weight", ModelPart.Embedding, configuration.VocabularySize, _hidden);
            for (int layer = 0; layer < configuration.LayerCount; layer++)
            {
                AddLayer(layer);
            }

            if (configuration.MtpLayerIndex is int mtpLayer)
            {
                AddMtpLayer(mtpLayer);
            }

            Add("model.norm.weight", ModelPart.Norms, _hidden);
            if (!configuration.TieWordEmbeddings)
            {
                // A linear layer, but the published rule never quantises it.
                Add("lm_head.weight", ModelPart.LmHead, isLinear: true, configuration.VocabularySize, _hidden);
            }
        }

        private static string Layer(int layer) =>
            string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.");

        private void AddLayer(int layer)
        {
            string prefix = Layer(layer);
            AddAttention(prefix);
            if (configuration.IsDenseLayer(layer))
            {
                AddMlp(prefix + "mlp.", ModelPart.DenseMlp, configuration.IntermediateSize);
            }
            else
            {
                AddExperts(prefix + "mlp.");
            }

            Add(prefix + "input_layernorm.weight", ModelPart.Norms, _hidden);
            Add(prefix + "post_attention_layernorm.weight", ModelPart.Norms, _hidden);
        }

        private void AddMtpLayer(int layer)
        {
            _insideMtp = true;
            string prefix = Layer(layer);
            Add(prefix + "input_layernorm.weight", ModelPart.Norms, _hidden);
            Add(prefix + "enorm.weight", ModelPart.Norms, _hidden);

            // The converter leaves this one in bf16; later checkpoints may quantise it, which Check accepts.
            Add(prefix + "eh_proj.weight", ModelPart.Mtp, isLinear: true, _hidden, 2L * _hidden);
            Add(prefix + "post_attention_layernorm.weight", ModelPart.Norms, _hidden);
            AddAttention(prefix);
            AddExperts(prefix + "mlp.");
            Add(prefix + "hnorm.weight", ModelPart.Norms, _hidden);
            Add(prefix + "final_layernorm.weight", ModelPart.Norms, _hidden);
            _insideMtp = false;
        }

        private void AddAttention(string layer)
        {
            string prefix = layer + "attention.";
            AddQuantisable(
                prefix + "query_key_value.weight", ModelPart.Attention, configuration.QueryKeyValueWidth, _hidden);
            if (configuration.UseQueryKeyValueBias)
            {
                Add(prefix + "query_key_value.bias", ModelPart.Attention, configuration.QueryKeyValueWidth);
            }

            if (configuration.UseQueryKeyNorm)
            {
                Add(prefix + "query_layernorm.weight", ModelPart.Attention, configuration.HeadDimension);
                Add(prefix + "key_layernorm.weight", ModelPart.Attention, configuration.HeadDimension);
            }

            AddQuantisable(prefix + "dense.weight", ModelPart.Attention, _hidden, configuration.QueryWidth);
            if (configuration.UseBias)
            {
                Add(prefix + "dense.bias", ModelPart.Attention, _hidden);
            }
        }

        private void AddExperts(string prefix)
        {
            for (int expert = 0; expert < configuration.ExpertCount; expert++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{prefix}experts.{expert}.");
                AddMlp(name, ModelPart.RoutedExperts, configuration.ExpertIntermediateSize);
            }

            Add(prefix + "gate.weight", ModelPart.Router, configuration.ExpertCount, _hidden);
            TensorInfo bias = new(prefix + "gate.expert_bias", ElementType.Float32, [configuration.ExpertCount]);
            Entries.Add(new CatalogTensor(bias, _insideMtp ? ModelPart.Mtp : ModelPart.Router));
            if (configuration.SharedExpertCount > 0)
            {
                AddMlp(
                    prefix + "shared_experts.", ModelPart.SharedExperts, configuration.SharedExpertIntermediateSize);
            }
        }

        private void AddMlp(string prefix, ModelPart part, long inner)
        {
            AddQuantisable(prefix + "gate_proj.weight", part, inner, _hidden);
            AddQuantisable(prefix + "up_proj.weight", part, inner, _hidden);
            AddQuantisable(prefix + "down_proj.weight", part, _hidden, inner);
        }

        private void AddQuantisable(string name, ModelPart part, long rows, long columns)
        {
            if (configuration.Quantization is null)
            {
                Add(name, part, isLinear: true, rows, columns);
                return;
            }

            ModelPart actual = _insideMtp ? ModelPart.Mtp : part;
            Entries.Add(new CatalogTensor(
                new TensorInfo(name, ElementType.Float8E4M3, [rows, columns]), actual, IsLinear: true));
            Entries.Add(new CatalogTensor(
                new TensorInfo(name + ScaleSuffix, ElementType.Float32, ScaleShape(rows, columns)),
                actual,
                ScaledName: name));
        }

        private void Add(string name, ModelPart part, params ReadOnlySpan<long> shape) =>
            Add(name, part, isLinear: false, shape);

        private void Add(string name, ModelPart part, bool isLinear, params ReadOnlySpan<long> shape) =>
            Entries.Add(new CatalogTensor(
                new TensorInfo(name, ElementType.BFloat16, shape.ToArray()),
                _insideMtp ? ModelPart.Mtp : part,
                isLinear));
    }

    private static long[] ScaleShape(long rows, long columns) => [(rows + 127) / 128, (columns + 127) / 128];
}
