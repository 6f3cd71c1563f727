// Red means: a checkpoint with missing, transposed or mistyped tensors is loaded, or a good one is refused.
using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class TensorCatalogTests
{
    private const string Dense = "model.layers.0.attention.dense.weight";
    private const string QueryKeyValue = "model.layers.1.attention.query_key_value.weight";

    private static ModelConfiguration Tiny { get; } = ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath);

    private static ModelConfiguration TinyFp8 { get; } =
        ConfigurationReader.ReadFile(ConfigurationTestFiles.GoldenPath("tiny-fp8-f32"));

    [Fact]
    public void A_complete_checkpoint_passes_and_nothing_is_left_over()
    {
        Assert.Empty(TensorCatalog.Check(Tiny, Source(Tiny)));
        Assert.Empty(TensorCatalog.Check(TinyFp8, Source(TinyFp8)));
    }

    [Fact]
    public void Every_trained_parameter_of_the_published_model_is_in_the_catalogue_with_its_shape()
    {
        // The gradients of the training golden name the published parameters; biases of the router are no parameters.
        Dictionary<string, long[]> published = GoldenTensors("tiny-grad-f32")
            .Where(pair => pair.Key.StartsWith("grad.", StringComparison.Ordinal)
                && !pair.Key.EndsWith(".output", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key["grad.".Length..], pair => pair.Value);
        Dictionary<string, long[]> catalogue = TensorCatalog.For(Tiny)
            .Where(tensor => tensor.ElementType == ElementType.BFloat16)
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Shape.ToArray());
        Assert.NotEmpty(published);
        Assert.Equivalent(published, catalogue, strict: true);
    }

    [Fact]
    public void The_quantised_golden_stores_what_the_catalogue_lists_and_the_MTP_projection_besides()
    {
        Dictionary<string, long[]> stored = GoldenTensors("tiny-fp8-f32")
            .Where(pair => pair.Key.StartsWith("weights.", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key["weights.".Length..], pair => pair.Value);
        foreach (CatalogTensor entry in TensorCatalog.Entries(TinyFp8))
        {
            if (entry.Info.ElementType == ElementType.Float8E4M3 || entry.ScaledName is not null)
            {
                Assert.True(stored.Remove(entry.Info.Name, out long[]? shape), entry.Info.Name);
                Assert.Equal(entry.Info.Shape, shape);
            }
        }

        Assert.Equal(
            ["model.layers.3.eh_proj.weight", "model.layers.3.eh_proj.weight_scale_inv"],
            stored.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Row33_missing_tensors_are_counted_and_named()
    {
        FakeSource source = Source(Tiny);
        source.Remove(Dense);
        source.Remove(QueryKeyValue);
        AssertRefused(Tiny, source, Dense, "2 of 252 required tensors are missing", Dense + ", " + QueryKeyValue);
    }

    [Fact]
    public void Row33_a_missing_MTP_layer_points_at_the_configuration()
    {
        FakeSource source = Source(Tiny with { NextTokenPredictionLayerCount = 0 });
        AssertRefused(
            Tiny, source, "model.layers.4.input_layernorm.weight", ", …", "num_nextn_predict_layers 1 asks for");
    }

    [Fact]
    public void Row33_unknown_tensors_and_an_unused_MTP_layer_are_listed()
    {
        FakeSource source = Source(Tiny);
        source.Set(new TensorInfo("model.rotary_emb.inv_freq", ElementType.Float32, [4]));
        Assert.Equal(["model.rotary_emb.inv_freq"], TensorCatalog.Check(Tiny, source));
        IReadOnlyList<string> ignored = TensorCatalog.Check(Tiny with { NextTokenPredictionLayerCount = 0 }, source);
        Assert.Contains("model.layers.4.eh_proj.weight", ignored);
        Assert.Equal(1 + (16 * 3) + 2 + 3 + 4 + 2 + 4, ignored.Count);
    }

    [Fact]
    public void Row34_transposed()
    {
        FakeSource source = Source(Tiny);
        source.Set(new TensorInfo(QueryKeyValue, ElementType.BFloat16, [64, 128]));
        AssertRefused(Tiny, source, QueryKeyValue, "must be [128, 64]", "found [64, 128]: transposed");
    }

    [Theory]
    [InlineData(128L, 63L)]
    [InlineData(8192L)]
    public void Row34_other_shape(params long[] shape)
    {
        FakeSource source = Source(Tiny);
        source.Set(new TensorInfo(QueryKeyValue, ElementType.BFloat16, shape));
        InvalidInputException exception =
            AssertRefused(Tiny, source, QueryKeyValue, "must be [128, 64]", TensorInfo.FormatShape(shape));
        Assert.DoesNotContain("transposed", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ElementType.Float32, true)]
    [InlineData(ElementType.Float16, true)]
    [InlineData(ElementType.Int8, false)]
    [InlineData(ElementType.Float64, false)]
    public void Element_types(ElementType type, bool accepted)
    {
        FakeSource source = Source(Tiny);
        source.Set(new TensorInfo(Dense, type, [64, 64]));
        if (accepted)
        {
            Assert.Empty(TensorCatalog.Check(Tiny, source));
        }
        else
        {
            AssertRefused(Tiny, source, Dense, "element type must be", "found " + type);
        }
    }

    [Fact]
    public void Any_linear_may_be_quantised_when_its_scales_are_there()
    {
        const string Projection = "model.layers.4.eh_proj.weight";
        FakeSource source = Source(Tiny);
        source.Set(new TensorInfo(Projection, ElementType.Float8E4M3, [64, 128]));
        AssertRefused(Tiny, source, Projection, "needs its scales");
        source.Set(new TensorInfo(Projection + "_scale_inv", ElementType.Float32, [2, 1]));
        AssertRefused(Tiny, source, Projection + "_scale_inv", "must be [1, 1]", "found [2, 1]");
        source.Set(new TensorInfo(Projection + "_scale_inv", ElementType.BFloat16, [1, 1]));
        AssertRefused(Tiny, source, Projection + "_scale_inv", "must be F32");
        source.Set(new TensorInfo(Projection + "_scale_inv", ElementType.Float32, [1, 1]));
        Assert.Empty(TensorCatalog.Check(Tiny, source));
    }

    [Theory]
    [InlineData("model.norm.weight")]
    [InlineData("model.layers.1.mlp.gate.weight")]
    [InlineData("model.word_embeddings.weight")]
    public void What_is_no_linear_may_not_be_quantised(string name)
    {
        FakeSource source = Source(Tiny);
        _ = source.TryGetTensor(name, out TensorInfo? tensor);
        source.Set(tensor! with { ElementType = ElementType.Float8E4M3 });
        AssertRefused(Tiny, source, name, "must be F32, BF16 or F16; found Float8E4M3");
    }

    [Fact]
    public void Biases_norms_head_and_shared_experts_follow_their_flags()
    {
        ModelConfiguration changed = Tiny with
        {
            UseBias = true,
            UseQueryKeyValueBias = true,
            UseQueryKeyNorm = false,
            TieWordEmbeddings = true,
            SharedExpertCount = 0,
        };
        Dictionary<string, TensorInfo> tensors = TensorCatalog.For(changed).ToDictionary(tensor => tensor.Name);
        Assert.Equal([128], tensors["model.layers.0.attention.query_key_value.bias"].Shape);
        Assert.Equal([64], tensors["model.layers.4.attention.dense.bias"].Shape);
        Assert.DoesNotContain("lm_head.weight", tensors.Keys);
        Assert.DoesNotContain(tensors.Keys, name => name.Contains("query_layernorm", StringComparison.Ordinal));
        Assert.DoesNotContain(tensors.Keys, name => name.Contains("shared_experts", StringComparison.Ordinal));
        Assert.DoesNotContain(tensors.Keys, name => name.Contains("proj.bias", StringComparison.Ordinal));
    }

    private static FakeSource Source(ModelConfiguration configuration) => new(TensorCatalog.For(configuration));

    private static InvalidInputException AssertRefused(
        ModelConfiguration configuration, FakeSource source, string place, params string[] parts)
    {
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => TensorCatalog.Check(configuration, source));
        ConfigurationTestFiles.AssertMessage(exception, $"fake: {place}: ", parts);
        return exception;
    }

    private static Dictionary<string, long[]> GoldenTensors(string name)
    {
        string folder = Path.GetDirectoryName(ConfigurationTestFiles.GoldenPath(name))!;
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "golden.safetensors"));
        int length = (int)BitConverter.ToUInt64(file, 0);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, length));
        return header.RootElement.EnumerateObject().Where(property => property.Name != "__metadata__").ToDictionary(
            property => property.Name,
            property => property.Value.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt64()).ToArray());
    }

    private sealed class FakeSource(IEnumerable<TensorInfo> tensors) : IWeightSource
    {
        private readonly Dictionary<string, TensorInfo> _tensors = tensors.ToDictionary(tensor => tensor.Name);

        public string Description => "fake";

        public IReadOnlyCollection<TensorInfo> Tensors => _tensors.Values;

        public void Set(TensorInfo tensor) => _tensors[tensor.Name] = tensor;

        public void Remove(string name) => _tensors.Remove(name);

        public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
            _tensors.TryGetValue(name, out tensor);

        public void Read(TensorInfo tensor, long firstElement, Span<float> destination) =>
            throw new NotSupportedException();

        public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
            throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
