using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// A model's weights by role, over any source. Vectors are read when a layer is asked for; matrices stay where they are
/// and are read by the operators, so the size of the model does not matter. A model that fits in memory is much faster
/// after <see cref="Pack"/>, and one that does not fit under a <see cref="WeightResidency"/>.
/// </summary>
public sealed class ModelWeights
{
    private readonly IWeightSource source;
    private readonly ModelConfiguration configuration;
    private readonly bool roundToBFloat16;
    private readonly LayerWeights?[] layers;

    /// <summary>
    /// Binds a source to a configuration; call <c>TensorCatalog.Check</c> first for a complete list of faults.
    /// </summary>
    /// <param name="source">The source.</param>
    /// <param name="configuration">The configuration.</param>
    /// <param name="roundToBFloat16">Whether wider weights (but not expert_bias) are rounded, as loading in bfloat16
    /// does.</param>
    public ModelWeights(IWeightSource source, ModelConfiguration configuration, bool roundToBFloat16)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        this.source = source;
        this.configuration = configuration;
        this.roundToBFloat16 = roundToBFloat16;
        layers = new LayerWeights?[configuration.LayerCount];
        WordEmbeddings = Matrix("model.word_embeddings.weight");
        FinalNorm = Vector("model.norm.weight");
        LanguageModelHead = configuration.TieWordEmbeddings ? WordEmbeddings : Matrix("lm_head.weight");
        if (configuration.MtpLayerIndex is int index)
        {
            string prefix = $"model.layers.{index}";
            MultiToken = new MultiTokenWeights(
                Vector($"{prefix}.enorm.weight"),
                Vector($"{prefix}.hnorm.weight"),
                Matrix($"{prefix}.eh_proj.weight"),
                ReadLayer(index),
                Vector($"{prefix}.final_layernorm.weight"));
        }
    }

    /// <summary>[vocabulary, hidden].</summary>
    public WeightMatrix WordEmbeddings { get; }

    /// <summary>model.norm, [hidden].</summary>
    public float[] FinalNorm { get; }

    /// <summary>lm_head, [vocabulary, hidden].</summary>
    public WeightMatrix LanguageModelHead { get; }

    /// <summary>The multi-token-prediction layer; null when the configuration has none.</summary>
    public MultiTokenWeights? MultiToken { get; }

    /// <summary>Who reads weights ahead of their use; null while nobody does.</summary>
    public WeightResidency? Residency { get; internal set; }

    /// <summary>The number of main layers.</summary>
    internal int LayerCount => configuration.LayerCount;

    /// <summary>The weights of a layer.</summary>
    /// <param name="index">0 … LayerCount − 1.</param>
    /// <returns>The weights.</returns>
    public LayerWeights Layer(int index) => layers[index] ??= ReadLayer(index);

    /// <summary>
    /// Reads every matrix that is multiplied into memory. Not the embedding table, unless it is the head too: of that a
    /// few rows are looked up.
    /// </summary>
    /// <param name="workers">The threads.</param>
    public void Pack(WorkerPool workers)
    {
        foreach (WeightMatrix matrix in Products())
        {
            matrix.Pack(workers);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Unpack()
    {
        foreach (WeightMatrix matrix in Products())
        {
            matrix.Unpack();
        }
    }

    /// <summary>The matrices that are multiplied, in the order of the forward pass.</summary>
    /// <returns>Each matrix once.</returns>
    public IEnumerable<WeightMatrix> Products()
    {
        IEnumerable<WeightMatrix> matrices =
            Enumerable.Range(0, configuration.LayerCount).SelectMany(index => Products(Layer(index)));
        return MultiToken is null
            ? [.. matrices, LanguageModelHead]
            : [.. matrices, LanguageModelHead, MultiToken.EmbeddingHiddenProjection, .. Products(MultiToken.Block)];
    }

    /// <summary>The matrices that every token is multiplied with, in the order of the forward pass.</summary>
    /// <returns>Each matrix once.</returns>
    internal IEnumerable<WeightMatrix> DenseProducts()
    {
        IEnumerable<WeightMatrix> matrices = Enumerable.Range(0, configuration.LayerCount).SelectMany(Dense);
        return MultiToken is null
            ? [.. matrices, LanguageModelHead]
            : [.. matrices, LanguageModelHead, .. Dense(configuration.LayerCount)];
    }

    /// <summary>The sparse blocks of all layers, that of the MTP layer last.</summary>
    /// <returns>Each block once.</returns>
    internal IEnumerable<SparseWeights> SparseLayers() =>
        Enumerable.Range(0, configuration.LayerCount)
            .Select(index => Layer(index).Experts)
            .Append(MultiToken?.Block.Experts)
            .OfType<SparseWeights>();

    /// <summary>The matrices of a layer that every token is multiplied with.</summary>
    /// <param name="index">0 … layers − 1, or the number of layers for the MTP layer with its projection.</param>
    /// <returns>The matrices.</returns>
    internal WeightMatrix[] Dense(int index) => index < configuration.LayerCount
        ? [.. Dense(Layer(index))]
        : [MultiToken!.EmbeddingHiddenProjection, .. Dense(MultiToken.Block)];

    private static IEnumerable<WeightMatrix> Dense(LayerWeights layer)
    {
        IEnumerable<WeightMatrix> attention = [layer.QueryKeyValue, layer.Dense];
        return layer.Experts is not { } sparse
            ? [.. attention, .. Products(layer.DenseFeedForward!)]
            : [.. attention, sparse.Gate, .. sparse.SharedExperts is null ? [] : Products(sparse.SharedExperts)];
    }

    private IEnumerable<WeightMatrix> Products(LayerWeights layer)
    {
        IEnumerable<WeightMatrix> dense = Dense(layer);
        if (layer.Experts is not { } sparse)
        {
            return dense;
        }

        IEnumerable<WeightMatrix> experts =
            Enumerable.Range(0, configuration.ExpertCount).SelectMany(expert => Products(sparse.Expert(expert)));
        return [.. dense, .. experts];
    }

    private static WeightMatrix[] Products(ExpertWeights block) => [block.Gate, block.Up, block.Down];

    private LayerWeights ReadLayer(int index)
    {
        string prefix = $"model.layers.{index}";
        bool dense = configuration.IsDenseLayer(index);
        return new LayerWeights(
            Vector($"{prefix}.input_layernorm.weight"),
            Matrix($"{prefix}.attention.query_key_value.weight"),
            configuration.UseQueryKeyValueBias ? Vector($"{prefix}.attention.query_key_value.bias") : [],
            configuration.UseQueryKeyNorm ? Vector($"{prefix}.attention.query_layernorm.weight") : [],
            configuration.UseQueryKeyNorm ? Vector($"{prefix}.attention.key_layernorm.weight") : [],
            Matrix($"{prefix}.attention.dense.weight"),
            configuration.UseBias ? Vector($"{prefix}.attention.dense.bias") : [],
            Vector($"{prefix}.post_attention_layernorm.weight"),
            dense ? Block($"{prefix}.mlp") : null,
            dense ? null : ReadExperts($"{prefix}.mlp"));
    }

    private SparseWeights ReadExperts(string prefix)
    {
        ExpertWeights?[] experts = new ExpertWeights?[configuration.ExpertCount];
        return new SparseWeights(
            Matrix($"{prefix}.gate.weight"),
            source.ReadVector($"{prefix}.gate.expert_bias"),
            expert => experts[expert] ??= Block($"{prefix}.experts.{expert}"),
            configuration.SharedExpertCount > 0 ? Block($"{prefix}.shared_experts") : null)
        {
            ExpertBytes = new[] { "gate_proj", "up_proj", "down_proj" }
                .Sum(name => PackedBytes(Find($"{prefix}.experts.0.{name}.weight"))),
        };
    }

    private ExpertWeights Block(string prefix) => new(
        Matrix($"{prefix}.gate_proj.weight"), Matrix($"{prefix}.up_proj.weight"), Matrix($"{prefix}.down_proj.weight"));

    private float[] Vector(string name)
    {
        float[] values = source.ReadVector(name);
        return roundToBFloat16 ? Array.ConvertAll(values, BFloat16.Round) : values;
    }

    private WeightMatrix Matrix(string name)
    {
        TensorInfo tensor = Find(name);
        return (tensor.ElementType == ElementType.Float8E4M3, source) switch
        {
            (true, SyntheticSource synthetic) => new SyntheticFloat8Matrix(synthetic, tensor),
            (true, _) => new Float8BlockMatrix(source, tensor, Find($"{name}_scale_inv")),
            _ => new SourceMatrix(source, tensor, roundToBFloat16),
        };
    }

    // Of a tensor that need not be looked at: making the matrix would read its scales.
    private long PackedBytes(TensorInfo tensor) => WeightPanels.ByteCountOf(
        tensor.ElementType switch
        {
            ElementType.Float8E4M3 => PanelFormat.Float8E4M3,
            ElementType.BFloat16 => PanelFormat.BFloat16,
            _ => roundToBFloat16 ? PanelFormat.BFloat16 : PanelFormat.Float32,
        },
        WeightMatrix.Axis(source, tensor, 0),
        WeightMatrix.Axis(source, tensor, 1));

    private TensorInfo Find(string name) => source.TryGetTensor(name, out TensorInfo? tensor)
        ? tensor
        : throw new InvalidInputException(source.Description, name, "required tensor is missing");
}
