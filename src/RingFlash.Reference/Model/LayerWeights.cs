using System;
using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>The weights of one decoder layer, or of the decoder block inside the MTP layer.</summary>
/// <param name="InputLayerNorm">[hidden].</param>
/// <param name="QueryKeyValue">[(heads + 2·keyValueHeads)·headDim, hidden].</param>
/// <param name="QueryKeyValueBias">Empty without use_qkv_bias.</param>
/// <param name="QueryLayerNorm">[headDim]; empty without use_qk_norm.</param>
/// <param name="KeyLayerNorm">[headDim]; empty without use_qk_norm.</param>
/// <param name="Dense">The attention output projection, [hidden, heads·headDim].</param>
/// <param name="DenseBias">Empty without use_bias.</param>
/// <param name="PostAttentionLayerNorm">[hidden].</param>
/// <param name="DenseFeedForward">The MLP of a dense layer; null in a sparse one.</param>
/// <param name="Experts">The experts of a sparse layer; null in a dense one.</param>
public sealed record LayerWeights(
    float[] InputLayerNorm,
    WeightMatrix QueryKeyValue,
    float[] QueryKeyValueBias,
    float[] QueryLayerNorm,
    float[] KeyLayerNorm,
    WeightMatrix Dense,
    float[] DenseBias,
    float[] PostAttentionLayerNorm,
    ExpertWeights? DenseFeedForward,
    SparseWeights? Experts);

/// <summary>The weights of a sparse (mixture-of-experts) block.</summary>
/// <param name="Gate">The router, [experts, hidden].</param>
/// <param name="ExpertBias">[experts], float32; used for choosing only.</param>
/// <param name="Expert">The weights of a routed expert, on demand.</param>
/// <param name="SharedExperts">The shared experts as one block; null when there are none.</param>
public sealed record SparseWeights(
    WeightMatrix Gate, float[] ExpertBias, Func<int, ExpertWeights> Expert, ExpertWeights? SharedExperts)
{
    /// <summary>The number of routed experts.</summary>
    public int ExpertCount => Gate.Outputs;

    /// <summary>
    /// Cuts the experts that are wanted into batches; a batch's weights are at hand until the next one is asked for.
    /// Null, and the result too, when all are at hand.
    /// </summary>
    public Func<ExpertDispatch, IEnumerable<ExpertDispatch>?>? Batches { get; internal set; }

    /// <summary>The bytes of a routed expert in memory.</summary>
    internal long ExpertBytes { get; init; }
}

/// <summary>The weights of the multi-token-prediction layer.</summary>
/// <param name="EmbeddingNorm">enorm, [hidden].</param>
/// <param name="HiddenNorm">hnorm, [hidden].</param>
/// <param name="EmbeddingHiddenProjection">eh_proj, [hidden, 2·hidden]; embedding half first.</param>
/// <param name="Block">The decoder block, always sparse.</param>
/// <param name="FinalLayerNorm">final_layernorm, [hidden].</param>
public sealed record MultiTokenWeights(
    float[] EmbeddingNorm,
    float[] HiddenNorm,
    WeightMatrix EmbeddingHiddenProjection,
    LayerWeights Block,
    float[] FinalLayerNorm);
