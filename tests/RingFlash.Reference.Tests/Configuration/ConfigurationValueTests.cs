// Red means: a value of config.json reaches the model as another number, or an ignored one is ignored in silence.
using System;
using System.Linq;
using System.Text.Json.Nodes;
using RingFlash.Reference.Configuration;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class ConfigurationValueTests
{
    public static TheoryData<string> GoldenNames { get; } = new(ConfigurationTestFiles.GoldenNames());

    [Theory]
    [MemberData(nameof(GoldenNames))]
    public void Golden_configuration_is_read_whole(string name)
    {
        ModelConfiguration configuration = ConfigurationReader.ReadFile(ConfigurationTestFiles.GoldenPath(name));
        Assert.Empty(configuration.IgnoredKeys);
        Assert.Empty(configuration.Warnings);
        Assert.Equal(2.5, configuration.RoutedScalingFactor);
        Assert.Equal(configuration.DeclaredLayerCount, configuration.MtpLayerIndex);
        Assert.Equal(configuration.HeadDimension / 2, configuration.Rotary.RotaryDimension);
        Assert.Equal(name.StartsWith("tiny-fp8", StringComparison.Ordinal), configuration.Quantization is not null);
        Assert.Equal(
            name.Contains("yarn", StringComparison.Ordinal), configuration.Rotary.Scaling == RotaryScalingKind.Yarn);
    }

    [Fact]
    public void The_eleven_golden_configurations_are_found() =>
        Assert.Equal(11, ConfigurationTestFiles.GoldenNames().Count());

    [Fact]
    public void Tiny_values()
    {
        ModelConfiguration tiny = ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath);
        Assert.Equal(
            (512, 64, 4, 4, 2, 16, 160, 32, 16, 4, 1, 1, 4, 2),
            (tiny.VocabularySize, tiny.HiddenSize, tiny.LayerCount, tiny.AttentionHeadCount, tiny.KeyValueHeadCount,
                tiny.HeadDimension, tiny.IntermediateSize, tiny.ExpertIntermediateSize, tiny.ExpertCount,
                tiny.ExpertsPerToken, tiny.SharedExpertCount, tiny.FirstDenseLayerCount, tiny.GroupCount,
                tiny.ChosenGroupCount));
        Assert.Equal((1e-6, 0.1, 600_000.0), (tiny.RmsNormEpsilon, tiny.MtpLossScalingFactor, tiny.Rotary.Theta));
        Assert.Equal((511, 510, "bfloat16"), (tiny.PadTokenId, tiny.EndOfSequenceTokenId, tiny.TorchDtype));
        Assert.Equal((64, 32, 128, 32, 4), (tiny.QueryWidth, tiny.KeyValueWidth, tiny.QueryKeyValueWidth,
            tiny.SharedExpertIntermediateSize, tiny.ExpertsPerGroup));
        Assert.Equal((true, false, false), (tiny.IsDenseLayer(0), tiny.IsDenseLayer(1), tiny.IsDenseLayer(4)));
    }

    [Fact]
    public void The_record_compares_by_value() => Assert.Equal(
        ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath),
        ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath));

    [Fact]
    public void Head_dimension_follows_from_the_heads_when_absent_or_null()
    {
        Assert.Equal(16, ConfigurationTestFiles.Read(root => root.Remove("head_dim")).HeadDimension);
        Assert.Equal(32, ConfigurationTestFiles.Read(root =>
        {
            root["head_dim"] = null;
            root["num_attention_heads"] = 2;
        }).HeadDimension);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("0")]
    public void No_shared_experts(string value) => Assert.Equal(
        0,
        ConfigurationTestFiles.Read(root => root["num_shared_experts"] = JsonNode.Parse(value))
            .SharedExpertIntermediateSize);

    [Fact]
    public void Several_end_tokens_keep_their_order() => Assert.Equal(
        [7, 3], ConfigurationTestFiles.Read(root => root["eos_token_id"] = new JsonArray(7, 3)).EndOfSequenceTokenIds);

    [Fact]
    public void Unknown_keys_are_listed_with_their_path() => Assert.Equal(
        ["$.quantization_config.zzz", "$.my_key"],
        ConfigurationTestFiles.Read(
            root =>
            {
                root["my_key"] = 1;
                root["quantization_config"]!["zzz"] = 1;
            },
            "tiny-fp8-f32").IgnoredKeys);

    [Theory]
    [InlineData("moe_shared_expert_intermediate_size", "64", "moe_intermediate_size * num_shared_experts = 32")]
    [InlineData("norm_topk_prob", "false", "always normalises")]
    [InlineData("norm_head", "true", "SGLang and vLLM obey it")]
    [InlineData("router_dtype", "\"bf16\"", "float32")]
    [InlineData("attention_dropout", "0.1", "not applied")]
    public void What_others_obey_and_the_published_code_ignores_is_a_warning(string key, string value, string text)
    {
        ModelConfiguration configuration = ConfigurationTestFiles.Read(root => root[key] = JsonNode.Parse(value));
        string warning = Assert.Single(configuration.Warnings);
        Assert.StartsWith("$." + key, warning, StringComparison.Ordinal);
        Assert.Contains(text, warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quant_method", "\"gptq\"")]
    [InlineData("fmt", "\"e5m2\"")]
    [InlineData("activation_scheme", "\"static\"")]
    [InlineData("weight_block_size", "[64, 128]")]
    [InlineData("weight_block_size", "null")]
    public void Quantisation_other_than_block_fp8_is_refused(string key, string value) =>
        ConfigurationTestFiles.AssertRefused(
            ConfigurationTestFiles.Edited(
                root => root["quantization_config"]![key] = JsonNode.Parse(value), "tiny-fp8-f32"),
            "$.quantization_config." + key);
}
