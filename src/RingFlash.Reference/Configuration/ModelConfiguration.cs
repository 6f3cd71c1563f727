using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// Every number that the model needs, checked. Made by <see cref="ConfigurationReader"/>; a record made by hand or
/// changed with <c>with</c> is not checked again.
/// </summary>
public sealed partial record ModelConfiguration
{
    /// <summary>Where it was read from, as the user named it; opens every message about it.</summary>
    public required string SourceName { get; init; }

    /// <summary><c>vocab_size</c>: rows of the embedding table and of the LM head.</summary>
    public required int VocabularySize { get; init; }

    /// <summary><c>hidden_size</c>: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary><c>num_hidden_layers</c> as written; what it counts depends on <see cref="MtpConvention"/>.</summary>
    public required int DeclaredLayerCount { get; init; }

    /// <summary><c>num_attention_heads</c>: query heads.</summary>
    public required int AttentionHeadCount { get; init; }

    /// <summary><c>num_key_value_heads</c>: key and value heads; divides <see cref="AttentionHeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary><c>head_dim</c>: channels of a head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary><c>intermediate_size</c>: inner width of the dense MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary><c>moe_intermediate_size</c>: inner width of one routed expert.</summary>
    public required int ExpertIntermediateSize { get; init; }

    /// <summary><c>num_experts</c>: routed experts per MoE layer.</summary>
    public required int ExpertCount { get; init; }

    /// <summary><c>num_experts_per_tok</c>: experts chosen for a token.</summary>
    public required int ExpertsPerToken { get; init; }

    /// <summary><c>num_shared_experts</c>: fused into one MLP; 0 or null means none.</summary>
    public required int SharedExpertCount { get; init; }

    /// <summary><c>first_k_dense_replace</c>: how many leading layers have a dense MLP.</summary>
    public required int FirstDenseLayerCount { get; init; }

    /// <summary><c>n_group</c>: consecutive groups that the experts form.</summary>
    public required int GroupCount { get; init; }

    /// <summary><c>topk_group</c>: groups kept for a token.</summary>
    public required int ChosenGroupCount { get; init; }

    /// <summary><c>routed_scaling_factor</c>: multiplies the normalised expert weights.</summary>
    public required double RoutedScalingFactor { get; init; }

    /// <summary><c>rms_norm_eps</c>: added to the mean square in every norm.</summary>
    public required double RmsNormEpsilon { get; init; }

    /// <summary><c>use_qk_norm</c>: RMSNorm over each query and key head, before the rotation.</summary>
    public bool UseQueryKeyNorm { get; init; } = true;

    /// <summary><c>use_qkv_bias</c>: a bias on the fused query-key-value projection.</summary>
    public bool UseQueryKeyValueBias { get; init; }

    /// <summary><c>use_bias</c>: a bias on the attention's output projection, and on nothing else.</summary>
    public bool UseBias { get; init; }

    /// <summary><c>rope_theta</c>, <c>partial_rotary_factor</c>, <c>rotary_dim</c>, <c>rope_scaling</c>.</summary>
    public required RotaryConfiguration Rotary { get; init; }

    /// <summary><c>max_position_embeddings</c>: the positions promised.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary><c>tie_word_embeddings</c>: the embedding table is the LM head; no <c>lm_head.weight</c>.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary><c>num_nextn_predict_layers</c>: MTP layers, 0 or 1.</summary>
    public int NextTokenPredictionLayerCount { get; init; }

    /// <summary>How <see cref="DeclaredLayerCount"/> counts the MTP layer.</summary>
    public MtpConvention MtpConvention { get; init; } = MtpConvention.LingV2;

    /// <summary><c>mtp_loss_scaling_factor</c>: weight of the MTP loss in the total.</summary>
    public double MtpLossScalingFactor { get; init; }

    /// <summary><c>pad_token_id</c>: the embedding row whose gradient is zero; null when there is none.</summary>
    public int? PadTokenId { get; init; }

    /// <summary><c>eos_token_id</c>: the first one when the file lists several; null when there is none.</summary>
    public int? EndOfSequenceTokenId => EndOfSequenceTokenIds.Count == 0 ? null : EndOfSequenceTokenIds[0];

    /// <summary><c>eos_token_id</c>: all of them, in the order of the file.</summary>
    public IReadOnlyList<int> EndOfSequenceTokenIds { get; init; } = new ValueList<int>([]);

    /// <summary><c>torch_dtype</c> or <c>dtype</c>: published storage type; null when the file does not say.</summary>
    public string? TorchDtype { get; init; }

    /// <summary><c>quantization_config</c>; null when the weights are plain.</summary>
    public QuantizationConfiguration? Quantization { get; init; }

    /// <summary>Keys of the file that nothing here or in the published code knows, as JSON paths.</summary>
    public IReadOnlyList<string> IgnoredKeys { get; init; } = new ValueList<string>([]);

    /// <summary>What a reader should know although the configuration is accepted: one line each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = new ValueList<string>([]);

    /// <summary>The number of main layers that are run.</summary>
    public int LayerCount => MtpConvention == MtpConvention.RingV2
        ? DeclaredLayerCount - NextTokenPredictionLayerCount
        : DeclaredLayerCount;

    /// <summary>The layer index of the MTP layer in the checkpoint; null when there is none.</summary>
    public int? MtpLayerIndex => NextTokenPredictionLayerCount == 0 ? null : LayerCount;

    /// <summary>Inner width of the fused shared experts: <c>moe_intermediate_size · num_shared_experts</c>.</summary>
    public int SharedExpertIntermediateSize => ExpertIntermediateSize * SharedExpertCount;

    /// <summary>Experts in one group.</summary>
    public int ExpertsPerGroup => ExpertCount / GroupCount;

    /// <summary>Width of all query heads together.</summary>
    public int QueryWidth => AttentionHeadCount * HeadDimension;

    /// <summary>Width of all key heads together; the value heads have the same.</summary>
    public int KeyValueWidth => KeyValueHeadCount * HeadDimension;

    /// <summary>Rows of the fused projection: query heads, then key heads, then value heads.</summary>
    public int QueryKeyValueWidth => QueryWidth + (2 * KeyValueWidth);

    /// <summary>Whether a layer has a dense MLP. The MTP layer never has, whatever its index.</summary>
    /// <param name="layerIndex">The index in the checkpoint.</param>
    /// <returns>True for the first <see cref="FirstDenseLayerCount"/> main layers.</returns>
    public bool IsDenseLayer(int layerIndex) => layerIndex < FirstDenseLayerCount && layerIndex != MtpLayerIndex;

    /// <summary>
    /// Decides <see cref="MtpConvention"/> from the layer that holds <c>eh_proj.weight</c>, which only an MTP layer
    /// has: layer <c>num_hidden_layers</c> means Ling-V2, the one before it Ring-V2.
    /// </summary>
    /// <param name="tensorNames">The names in the checkpoint.</param>
    /// <returns>The same configuration with the convention decided; unchanged when it has no MTP layer.</returns>
    /// <exception cref="InvalidInputException">It sits in another layer, in both, or leaves no main layer.</exception>
    public ModelConfiguration ResolveMtpConvention(IEnumerable<string> tensorNames)
    {
        ArgumentNullException.ThrowIfNull(tensorNames);
        if (NextTokenPredictionLayerCount == 0)
        {
            return this;
        }

        SortedSet<long> layers = [];
        foreach (string name in tensorNames)
        {
            Match match = MtpMarker().Match(name);
            if (match.Success && long.TryParse(match.Groups[1].ValueSpan, out long layer))
            {
                layers.Add(layer);
            }
        }

        if (layers.Count == 0)
        {
            // Without the marker the missing MTP tensors are reported by name later, which says more than this could.
            return this with { MtpConvention = MtpConvention.LingV2 };
        }

        if (layers.Count == 1 && layers.Contains(DeclaredLayerCount))
        {
            return this with { MtpConvention = MtpConvention.LingV2 };
        }

        if (layers.Count == 1 && layers.Contains(DeclaredLayerCount - 1) && DeclaredLayerCount > 1)
        {
            return this with { MtpConvention = MtpConvention.RingV2 };
        }

        throw new InvalidInputException(
            SourceName,
            "$.num_hidden_layers",
            $"eh_proj.weight must sit in layer {DeclaredLayerCount} (Ling-V2: MTP after the main layers) or in layer "
            + $"{DeclaredLayerCount - 1} with a main layer before it (Ring-V2: MTP is the last of num_hidden_layers); "
            + $"found in layer {string.Join(", ", layers)}");
    }

    [GeneratedRegex(@"^model\.layers\.([0-9]{1,9})\.eh_proj\.weight\z", RegexOptions.CultureInvariant)]
    private static partial Regex MtpMarker();
}
