// Red means: some legal configuration other than the published one is computed wrongly.
using System;
using System.Collections.Generic;
using System.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class OddConfigurations
{
    private static readonly Dictionary<string, (string Key, object? Value)[]> Cases = new()
    {
        ["as it is"] = [],
        ["head size 24"] = [("head_dim", 24)],
        ["head size 48"] = [("head_dim", 48)],
        ["head size 96"] = [("head_dim", 96)],
        ["head size 160, above a block"] = [("head_dim", 160), ("num_attention_heads", 2), ("num_key_value_heads", 1)],
        ["head size from the hidden width"] =
            [("head_dim", null), ("hidden_size", 132), ("partial_rotary_factor", 1.0)],
        ["one key/value head"] = [("num_key_value_heads", 1)],
        ["as many key/value heads as heads"] = [("num_key_value_heads", 6)],
        ["both biases"] = [("use_qkv_bias", true), ("use_bias", true)],
        ["qkv bias"] = [("use_qkv_bias", true)],
        ["output bias"] = [("use_bias", true)],
        ["no QK-norm"] = [("use_qk_norm", false)],
        ["no QK-norm, biases"] = [("use_qk_norm", false), ("use_qkv_bias", true), ("use_bias", true)],
        ["no dense layer"] = [("first_k_dense_replace", 0)],
        ["two dense layers"] = [("first_k_dense_replace", 2), ("num_hidden_layers", 3)],
        ["dense layers only"] = [("first_k_dense_replace", 2), ("num_nextn_predict_layers", 0)],
        ["two shared experts"] = [("num_shared_experts", 2)],
        ["no shared expert"] = [("num_shared_experts", null)],
        ["one group"] = [("n_group", 1), ("topk_group", 1), ("num_experts_per_tok", 6)],
        ["two groups, one chosen"] = [("n_group", 2), ("topk_group", 1), ("num_experts_per_tok", 5)],
        ["eight groups of two, one chosen"] =
            [("num_experts", 16), ("n_group", 8), ("topk_group", 1), ("num_experts_per_tok", 2)],
        ["eight groups, all chosen"] =
            [("num_experts", 40), ("n_group", 8), ("topk_group", 8), ("num_experts_per_tok", 4)],
        ["eight groups, three chosen"] =
            [("num_experts", 24), ("n_group", 8), ("topk_group", 3), ("num_experts_per_tok", 6)],
        ["one expert per token"] = [("num_experts_per_tok", 1)],
        ["every expert of the chosen groups"] = [("num_experts_per_tok", 8)],
        ["no scaling"] = [("routed_scaling_factor", 1.0)],
        ["quarter rotary"] = [("head_dim", 24), ("partial_rotary_factor", 0.25)],
        ["full rotary"] = [("partial_rotary_factor", 1.0)],
        ["tied embeddings"] = [("tie_word_embeddings", true)],
        ["large epsilon"] = [("rms_norm_eps", 0.1)],
        ["widths of one"] = [("moe_intermediate_size", 1), ("intermediate_size", 1)],
        ["widths of exactly 128 and 256"] =
            [("hidden_size", 128), ("intermediate_size", 256), ("moe_intermediate_size", 128), ("head_dim", 128)],
        ["widths of 129 and 257"] = [("hidden_size", 129), ("intermediate_size", 257), ("moe_intermediate_size", 129)],
        ["no MTP layer"] = [("num_nextn_predict_layers", 0)],
        ["YaRN"] = [("rope_scaling", Yarn())],
        ["YaRN with other betas"] = [("rope_scaling", Yarn(("beta_fast", 16), ("beta_slow", 2)))],
        ["YaRN with a given factor"] = [("rope_scaling", Yarn(("attention_factor", 0.75)))],
        ["YaRN with mscale"] = [("rope_scaling", Yarn(("mscale", 1.0), ("mscale_all_dim", 0.5)))],
        ["FP8, ragged blocks"] = [("quantization_config", TinyModels.Float8Blocks)],
        ["FP8, wide ragged blocks"] =
        [
            ("quantization_config", TinyModels.Float8Blocks), ("hidden_size", 300), ("intermediate_size", 270),
            ("moe_intermediate_size", 131),
        ],
    };

    public static TheoryData<string> CaseNames => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void Every_result_is_within_budget_of_the_oracle(string name)
    {
        ModelConfiguration configuration = TinyModels.Read(Cases[name]);
        long[] ids = TinyModels.Ids(configuration, 2 * 11);
        OracleReport report = OracleComparison.Of(configuration, new ForwardInput(ids, 2) { Labels = ids });
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {report}");
        Assert.Null(report.NearTie);
        Assert.True(report.Taps >= 25, $"{report.Taps} results");
        Assert.InRange(report.WorstShare, 0.01, 1);
    }

    [Theory]
    [InlineData("as it is")]
    [InlineData("YaRN")]
    public void Positions_may_start_anywhere(string name)
    {
        ModelConfiguration configuration = TinyModels.Read(Cases[name]);
        long[] ids = TinyModels.Ids(configuration, 2 * 11);
        long[] positions = [.. Enumerable.Range(0, 22).Select(index => 5000L + (index / 11 * 900) + (index % 11))];
        OracleReport report =
            OracleComparison.Of(configuration, new ForwardInput(ids, 2) { Labels = ids, Positions = positions });
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {report}");
        Assert.Null(report.NearTie);
    }

    [Fact]
    public void Left_padding_is_within_budget_too()
    {
        ModelConfiguration configuration = TinyModels.Read();
        OracleReport report = OracleComparison.Of(configuration, PaddedInputs.Of(configuration, [14, 9, 1]));
        TestContext.Current.TestOutputHelper?.WriteLine($"{report}");
        Assert.Null(report.NearTie);
    }

    [Theory]
    [InlineData(MtpConvention.LingV2, 3)]
    [InlineData(MtpConvention.RingV2, 2)]
    public void Both_ways_to_count_the_MTP_layer_run(MtpConvention convention, int mainLayers)
    {
        ModelConfiguration configuration = TinyModels.Read(convention, ("num_hidden_layers", 3));
        Assert.Equal((mainLayers, (int?)mainLayers), (configuration.LayerCount, configuration.MtpLayerIndex));
        using WorkerPool workers = new(1);
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Vector512, workers);
        ForwardInput input = new(TinyModels.Ids(configuration, 7), 1);
        Run<float> run = Runs.Of(configuration, TinyModels.Weights(configuration), operators, input);
        Assert.Contains($"model.layers.{mainLayers}.eh_proj.output", run.Taps.Names);
        Assert.DoesNotContain($"model.layers.{mainLayers + 1}.input_layernorm.output", run.Taps.Names);
        Assert.Null(OracleComparison.Of(configuration, input).NearTie);
    }

    // The seed is fixed, so that a run repeats; 30 configurations out of some 10⁸. The budget is for norms over many
    // numbers: a norm over two or three may be small by cancellation while their error is not, so widths and lengths
    // start higher.
    // Another seed with 1200 configurations stayed below 0.58 of the budget, without a near tie.
    [Property(MaxTest = 30, Replay = "20251327,20251329")]
    public void Any_small_configuration_is_within_budget(
        byte depth, byte heads, byte headSize, byte hidden, byte experts, byte chosen, byte widths, byte flags)
    {
        int keyValueHeads = (heads % 3) + 1, groups = 1 << (experts % 4), perGroup = (experts / 4 % 4) + 2;
        int chosenGroups = (chosen % groups) + 1;
        double[] factors = [0.25, 0.5, 1.0];
        ModelConfiguration configuration = TinyModels.Read(
            ("num_hidden_layers", (depth % 3) + 1),
            ("first_k_dense_replace", depth / 3 % ((depth % 3) + 2)),
            ("num_key_value_heads", keyValueHeads),
            ("num_attention_heads", keyValueHeads * ((heads / 3 % 3) + 1)),
            ("head_dim", 8 * ((headSize % 9) + 1)),
            ("partial_rotary_factor", factors[headSize / 9 % 3]),
            ("hidden_size", 17 + hidden),
            ("intermediate_size", 17 + widths),
            ("moe_intermediate_size", 17 + (widths / 2)),
            ("num_experts", groups * perGroup),
            ("n_group", groups),
            ("topk_group", chosenGroups),
            ("num_experts_per_tok", (chosen / 8 % Math.Min(6, chosenGroups * perGroup)) + 1),
            ("num_shared_experts", chosen / 64 % 3),
            ("use_qk_norm", (flags & 1) == 0),
            ("use_qkv_bias", (flags & 2) != 0),
            ("use_bias", (flags & 4) != 0),
            ("tie_word_embeddings", (flags & 8) != 0),
            ("num_nextn_predict_layers", flags >> 4 & 1),
            ("rope_scaling", (flags & 32) != 0 ? Yarn() : null),
            ("quantization_config", (flags & 64) != 0 ? TinyModels.Float8Blocks : null));
        int tokens = (widths % 7) + 4;
        ForwardInput input = new(TinyModels.Ids(configuration, 2 * tokens, flags), 2);
        OracleReport report = OracleComparison.Of(configuration, input, seed: depth);
        TestContext.Current.TestOutputHelper?.WriteLine($"{report}");
        Assert.Null(report.NearTie); // none among these 30; after one, nothing further would be compared
    }

    private static Dictionary<string, object> Yarn(params (string Key, object Value)[] changes)
    {
        Dictionary<string, object> scaling = new()
        {
            ["type"] = "yarn",
            ["factor"] = 4.0,
            ["original_max_position_embeddings"] = 64,
        };
        foreach ((string key, object value) in changes)
        {
            scaling[key] = value;
        }

        return scaling;
    }
}
