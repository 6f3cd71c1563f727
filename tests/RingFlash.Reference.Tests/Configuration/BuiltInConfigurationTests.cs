// Red means: a built-in model differs from the one that the goldens were made with, or a value lacks its evidence.
using System;
using System.Text.Json.Nodes;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class BuiltInConfigurationTests
{
    [Theory]
    [InlineData("ring-flash-2.0", "flash-full-f32")]
    [InlineData("ring-mini-2.0", "mini-full-f32")]
    public void Equals_the_goldens_except_for_the_MTP_layer(string name, string golden)
    {
        BuiltInConfiguration builtIn = BuiltInConfigurations.Get(name);
        Assert.Equal(0, builtIn.Configuration.NextTokenPredictionLayerCount);
        Assert.Empty(builtIn.Configuration.IgnoredKeys);
        Assert.Empty(builtIn.Configuration.Warnings);
        ModelConfiguration expected = ConfigurationTestFiles.Read(
            root =>
            {
                root["num_nextn_predict_layers"] = 0;
                root["mtp_loss_scaling_factor"] = 0;
            },
            golden);
        Assert.Equal(expected with { SourceName = "built-in:" + name }, builtIn.Configuration);
    }

    [Theory]
    [InlineData("ring-flash-2.0")]
    [InlineData("ring-mini-2.0")]
    public void Every_value_has_a_basis(string name)
    {
        BuiltInConfiguration builtIn = BuiltInConfigurations.Get(name);
        Assert.Equal(JsonNode.Parse(builtIn.Json)!.AsObject().Count, builtIn.Values.Count);
        Assert.All(builtIn.Values, value => Assert.Matches("^(seen|counted|inferred|class default)", value.Basis));
    }

    [Fact]
    public void What_is_not_established_for_flash_says_so()
    {
        foreach (ValueBasis value in BuiltInConfigurations.Get("ring-flash-2.0").Values)
        {
            if (value.Key is "rope_theta" or "n_group" or "topk_group" or "routed_scaling_factor")
            {
                Assert.StartsWith("inferred", value.Basis, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => BuiltInConfigurations.Get("ring-flash"));
        ConfigurationTestFiles.AssertMessage(exception, "ring-flash: ", "ring-flash-2.0, ring-mini-2.0");
    }
}
