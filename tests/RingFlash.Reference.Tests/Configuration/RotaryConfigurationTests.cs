// Red means: positions are encoded with a factor, length or width that the file does not say, or that was guessed.
using System;
using System.Text.Json.Nodes;
using RingFlash.Reference.Configuration;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class RotaryConfigurationTests
{
    [Fact]
    public void Yarn_takes_factor_and_length_as_written_and_describes_both()
    {
        ModelConfiguration configuration =
            ConfigurationReader.ReadFile(ConfigurationTestFiles.GoldenPath("yarn-tables"));
        Assert.Equal((64, 4.0, 32768, 32.0, 1.0), (configuration.Rotary.RotaryDimension, configuration.Rotary.Factor,
            configuration.Rotary.OriginalMaxPositionEmbeddings, configuration.Rotary.BetaFast,
            configuration.Rotary.BetaSlow));
        Assert.Equal(
            "rotary: 64 leading channels, theta 600000, yarn: factor 4, original length 32768, beta_fast 32, "
            + "beta_slow 1, attention factor 0.1 ln(factor) + 1",
            configuration.Rotary.Describe());
    }

    [Fact]
    public void The_model_cards_recipe_is_obeyed_and_the_silent_trap_is_named()
    {
        ModelConfiguration configuration =
            ConfigurationTestFiles.Read(root => root["max_position_embeddings"] = 32768, "yarn-tables");
        Assert.Equal(4.0, configuration.Rotary.Factor);
        Assert.Contains("original = 1 as the factor", Assert.Single(configuration.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("factor", null, "required")]
    [InlineData("factor", "0.5", "of at least 1; found 0.5")]
    [InlineData("factor", "1e400", "of at least 1; found 1e400")]
    [InlineData("original_max_position_embeddings", null, "three transformers versions")]
    [InlineData("original_max_position_embeddings", "64.0", "plain integer")]
    [InlineData("type", "\"linear\"", "must be \"yarn\" or \"default\"")]
    [InlineData("rope_type", "\"default\"", "must agree with type \"yarn\"")]
    [InlineData("truncate", "false", "must be true")]
    [InlineData("beta_fast", "0.5", "must not be below beta_slow 1")]
    [InlineData("attention_factor", "0", "above 0; found 0")]
    [InlineData("mscale_all_dim", "-1", "above 0; found -1")]
    [InlineData("yarn_extra", "1", "unknown key")]
    public void Yarn_rule(string key, string? value, string rule)
    {
        byte[] json = System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(
            ConfigurationTestFiles.Edited(
                root =>
                {
                    JsonObject scaling = root["rope_scaling"]!.AsObject();
                    scaling.Remove(key);
                    if (value is not null)
                    {
                        scaling[key] = "@@@";
                    }
                },
                "tiny-yarn-f32")).Replace("\"@@@\"", value ?? string.Empty, StringComparison.Ordinal));
        ConfigurationTestFiles.AssertRefused(json, "$.rope_scaling." + key, rule);
    }

    [Fact]
    public void Yarn_options_are_kept()
    {
        RotaryConfiguration rotary = ConfigurationTestFiles.Read(
            root =>
            {
                JsonObject scaling = root["rope_scaling"]!.AsObject();
                scaling.Remove("rope_type");
                scaling["beta_fast"] = 16;
                scaling["beta_slow"] = 2.5;
                scaling["attention_factor"] = 1.25;
                scaling["mscale"] = 1.0;
                scaling["mscale_all_dim"] = 0.5;
                scaling["truncate"] = true;
            },
            "tiny-yarn-f32").Rotary;
        Assert.Equal((16.0, 2.5, 1.25, 1.0, 0.5), (rotary.BetaFast, rotary.BetaSlow, rotary.AttentionFactor,
            rotary.Mscale, rotary.MscaleAllDim));
    }

    [Fact]
    public void Neither_factor_nor_dimension_is_not_guessed() => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.Edited(root => root.Remove("partial_rotary_factor")),
        "$.partial_rotary_factor",
        "not guessed");

    [Fact]
    public void Dimension_alone_counts_and_warns()
    {
        ModelConfiguration configuration = ConfigurationTestFiles.Read(root =>
        {
            root.Remove("partial_rotary_factor");
            root["rotary_dim"] = 8;
        });
        Assert.Equal(8, configuration.Rotary.RotaryDimension);
        Assert.Contains("would rotate all 16", Assert.Single(configuration.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(16, false)]
    public void Both_must_agree(int dimension, bool accepted)
    {
        byte[] json = ConfigurationTestFiles.Edited(root => root["rotary_dim"] = dimension);
        if (accepted)
        {
            Assert.Equal(8, ConfigurationReader.Read(json, "config.json").Rotary.RotaryDimension);
        }
        else
        {
            ConfigurationTestFiles.AssertRefused(json, "$.rotary_dim", "int(16 * 0.5) = 8", "found 16");
        }
    }

    [Theory]
    [InlineData("0.01", "found 0 of")]
    [InlineData("0.2", "found 3 of")]
    [InlineData("1.5", "at most 1")]
    [InlineData("0", "above 0")]
    public void Width_must_be_even_and_inside_the_head(string factor, string rule) =>
        ConfigurationTestFiles.AssertRefused(
            ConfigurationTestFiles.WithRaw("partial_rotary_factor", factor), "$.partial_rotary_factor", rule);

    [Fact]
    public void Width_is_truncated_and_not_rounded() => Assert.Equal(
        8, ConfigurationTestFiles.Read(root => root["partial_rotary_factor"] = 0.55).Rotary.RotaryDimension);

    [Fact]
    public void The_form_of_transformers_5_is_refused_and_not_overlooked() => ConfigurationTestFiles.AssertRefused(
        ConfigurationTestFiles.Edited(root => root["rope_parameters"] = new JsonObject()),
        "$.rope_parameters",
        "transformers v5");
}
