// Red means: a damaged or impossible config.json is accepted, or refused without saying where and why.
using System;
using System.IO;
using System.Text;
using System.Text.Json.Nodes;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class ConfigurationBadInputTests
{
    [Fact]
    public void Row26_missing_file_is_the_environments_fault()
    {
        string path = Path.Combine(Path.GetTempPath(), "no-such-folder-of-ringflash", "config.json");
        EnvironmentException exception = Assert.Throws<EnvironmentException>(() => ConfigurationReader.ReadFile(path));
        ConfigurationTestFiles.AssertMessage(exception, path + ": ", "no such file");
    }

    [Fact]
    public void Row26_folder_instead_of_file_is_the_environments_fault() =>
        Assert.Throws<EnvironmentException>(() => ConfigurationReader.ReadFile(Path.GetTempPath()));

    [Theory]
    [InlineData("", "line 1, column 1")]
    [InlineData("{\n  // note\n  \"a\": 1}", "line 2, column 3")]
    [InlineData("{\n  \"a\": 1,\n}", "line 3, column 1")]
    [InlineData("{\"a\": NaN}", "line 1, column 7")]
    [InlineData("{\"a\": 1} {", "line 1, column 10")]
    [InlineData("\uFEFF{}", "line 1, column 1")]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "line 1, column 1")]
    public void Row26_text_that_is_not_strict_json(string text, string place) =>
        ConfigurationTestFiles.AssertRefused(Encoding.UTF8.GetBytes(text), place, "not strict JSON");

    [Fact]
    public void Nesting_of_10000_levels() => ConfigurationTestFiles.AssertRefused(
        Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 10_000)), "line 1, column 69", "depth");

    [Fact]
    public void File_above_16_MiB_is_not_read()
    {
        string path = Path.GetTempFileName();
        try
        {
            using (FileStream file = File.OpenWrite(path))
            {
                file.SetLength(ConfigurationReader.MaximumByteCount + 1L);
            }

            InvalidInputException exception =
                Assert.Throws<InvalidInputException>(() => ConfigurationReader.ReadFile(path));
            ConfigurationTestFiles.AssertMessage(exception, path + ": ", "at most 16777216 bytes; found 16777217");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("null")]
    [InlineData("\"{}\"")]
    public void Root_that_is_not_an_object(string text) =>
        ConfigurationTestFiles.AssertRefused(Encoding.UTF8.GetBytes(text), "$", "must be an object; found " + text);

    [Fact]
    public void Lone_surrogate_escape() => ConfigurationTestFiles.AssertRefused(
        Encoding.UTF8.GetBytes("{\"model_type\": \"\\ud800\"}"), "$.model_type", "lone surrogates");

    [Theory]
    [InlineData("\"llama\"", "[\"LlamaForCausalLM\"]")]
    [InlineData("\"bailing_moe\"", "[\"BailingMoeForCausalLM\"]")]
    [InlineData("\"bailing_moe\"", "null")]
    [InlineData("\"bailing_moe_v2\"", "[\"BailingMoeV2_5ForCausalLM\"]")]
    [InlineData("null", "[\"BailingMoeV2ForCausalLM\"]")]
    public void Row27_another_model(string type, string architectures) => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.Edited(root =>
        {
            root["model_type"] = JsonNode.Parse(type);
            root["architectures"] = JsonNode.Parse(architectures);
        }),
        "$.model_type",
        "not this model",
        $"found model_type {type}, architectures {architectures}");

    [Fact]
    public void Row27_bailing_moe_v2_without_architectures_is_this_model() =>
        Assert.Equal(64, ConfigurationTestFiles.Read(root =>
        {
            root["model_type"] = "bailing_moe_v2";
            root.Remove("architectures");
        }).HiddenSize);

    // The tiny model has 16 experts in 4 groups of 4, 2 groups chosen, 4 experts per token, 4 layers, 4 and 2 heads.
    [Theory]
    [InlineData("num_experts", "18", "$.num_experts", "divisible by n_group 4; found 18")]
    [InlineData("topk_group", "5", "$.topk_group", "between 1 and n_group 4; found 5")]
    [InlineData("topk_group", "0", "$.topk_group", "between 1 and n_group 4; found 0")]
    [InlineData("num_experts_per_tok", "9", "$.num_experts_per_tok", "must not exceed the 8 experts in topk_group 2")]
    [InlineData("n_group", "0", "$.n_group", "raises in the published gate; found 0")]
    [InlineData("n_group", "16", "$.n_group", "at least 2 experts per group")]
    [InlineData("num_key_value_heads", "3", "$.num_key_value_heads", "must divide num_attention_heads 4; found 3")]
    [InlineData("first_k_dense_replace", "5", "$.first_k_dense_replace", "num_hidden_layers 4; found 5")]
    [InlineData("hidden_act", "\"gelu\"", "$.hidden_act", "must be \"silu\"")]
    [InlineData("score_function", "\"softmax\"", "$.score_function", "must be \"sigmoid\"")]
    [InlineData("num_nextn_predict_layers", "2", "$.num_nextn_predict_layers", "breaks with more than one; found 2")]
    [InlineData("pad_token_id", "512", "$.pad_token_id", "between 0 and 511; found 512")]
    [InlineData("eos_token_id", "[1, -1]", "$.eos_token_id", "between 0 and 511; found -1")]
    [InlineData("torch_dtype", "\"int4\"", "$.torch_dtype", "must be \"bfloat16\"")]
    [InlineData("use_bias", "1", "$.use_bias", "must be true or false; found 1")]
    public void Row28_values_that_do_not_fit_each_other(string key, string value, string place, string rule) =>
        ConfigurationTestFiles.AssertRefused(ConfigurationTestFiles.WithRaw(key, value), place, rule);

    [Fact]
    public void A_configuration_that_asks_for_a_catalogue_of_gigabytes() => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.Edited(root =>
        {
            root["num_hidden_layers"] = 4096;
            root["num_experts"] = 65536;
        }),
        "$.num_experts",
        "tensors; at most 1000000");

    [Theory]
    [InlineData("0", "between 1 and 1048576")]
    [InlineData("-4096", "between 1 and 1048576")]
    [InlineData("2147483648", "between 1 and 1048576")]
    [InlineData("99999999999999999999", "between 1 and 1048576")]
    [InlineData("4096.5", "plain integer")]
    [InlineData("4096.0", "plain integer")]
    [InlineData("4e3", "plain integer")]
    [InlineData("-0", "plain integer")]
    [InlineData("\"4096\"", "plain integer")]
    [InlineData("true", "plain integer")]
    [InlineData("[4096]", "plain integer")]
    [InlineData("null", "required")]
    public void Row29_hidden_size(string value, string rule) => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.WithRaw("hidden_size", value), "$.hidden_size", rule, "found " + value);

    [Theory]
    [InlineData("0")]
    [InlineData("-1e-6")]
    [InlineData("1e400")]
    [InlineData("1e-60")]
    [InlineData("\"1e-6\"")]
    public void Row30_epsilon(string value) => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.WithRaw("rms_norm_eps", value),
        "$.rms_norm_eps",
        "finite number above 0; found " + value);

    [Theory]
    [InlineData("{\"a\": 1, \"b\": 2,\n \"a\": 3}", "$.a", "duplicate key (line 2, column 2)")]
    [InlineData("{\"x\": {\"factor\": 1, \"factor\": 1}}", "$.x.factor", "duplicate key (line 1, column 21)")]
    [InlineData("{\"x\": [0, {\"y\": 1, \"\\u0079\": 1}]}", "$.x[1].y", "duplicate key")]
    public void Row37_duplicate_key(string text, string place, string rule) =>
        ConfigurationTestFiles.AssertRefused(Encoding.UTF8.GetBytes(text), place, rule);

    [Theory]
    [InlineData("routed_scaling_factor", "not guessed")]
    [InlineData("rope_theta", "not guessed")]
    [InlineData("num_shared_experts", "null or 0 for none")]
    [InlineData("n_group", "required")]
    [InlineData("hidden_act", "required")]
    public void A_value_that_backends_would_guess_is_required(string key, string rule) =>
        ConfigurationTestFiles.AssertRefused(
            ConfigurationTestFiles.Edited(root => root.Remove(key)), "$." + key, rule, "found no such key");

    [Fact]
    public void A_hostile_key_cannot_forge_a_second_line() => ConfigurationTestFiles.AssertRefused(
        Encoding.UTF8.GetBytes("{\"a\\nok: passed\": 1, \"a\\nok: passed\": 1}"),
        "$.a\\u000aok: passed",
        "duplicate key");
}
