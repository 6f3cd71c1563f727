// Red means: a checkpoint's MTP layer is run as a main layer, or a main layer as the MTP layer.
using System;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class MtpConventionTests
{
    [Theory]
    [InlineData(null, MtpConvention.LingV2, 4, 4)]
    [InlineData("model.layers.4.eh_proj.weight", MtpConvention.LingV2, 4, 4)]
    [InlineData("model.layers.3.eh_proj.weight", MtpConvention.RingV2, 3, 3)]
    [InlineData("model.layers.3.attention.dense.weight", MtpConvention.LingV2, 4, 4)]
    public void Detected_from_the_layer_of_eh_proj(string? name, MtpConvention convention, int layers, int mtpLayer)
    {
        ModelConfiguration configuration = ConfigurationReader.ReadFile(
            ConfigurationTestFiles.TinyPath, tensorNames: name is null ? null : [name]);
        Assert.Equal(
            (convention, layers, mtpLayer),
            (configuration.MtpConvention, configuration.LayerCount, configuration.MtpLayerIndex!.Value));
    }

    [Theory]
    [InlineData("model.layers.2.eh_proj.weight")]
    [InlineData("model.layers.4.eh_proj.weight", "model.layers.3.eh_proj.weight")]
    public void Any_other_place_is_refused(params string[] names)
    {
        InvalidInputException exception = Assert.Throws<InvalidInputException>(
            () => ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath, tensorNames: names));
        ConfigurationTestFiles.AssertMessage(
            exception,
            ConfigurationTestFiles.TinyPath + ": $.num_hidden_layers: ",
            "layer 4 (Ling-V2",
            "found in layer");
    }

    [Fact]
    public void A_folder_with_the_MTP_layer_alone_is_refused()
    {
        byte[] json = ConfigurationTestFiles.Edited(root =>
        {
            root["num_hidden_layers"] = 1;
            root["first_k_dense_replace"] = 0;
        });
        Assert.Throws<InvalidInputException>(
            () => ConfigurationReader.Read(json, "config.json", tensorNames: ["model.layers.0.eh_proj.weight"]));
        Assert.Throws<InvalidInputException>(
            () => ConfigurationReader.Read(json, "config.json", MtpConvention.RingV2));
    }

    [Fact]
    public void Without_an_MTP_layer_the_convention_changes_nothing()
    {
        byte[] json = ConfigurationTestFiles.Edited(root => root["num_nextn_predict_layers"] = 0);
        ModelConfiguration configuration = ConfigurationReader.Read(json, "config.json", MtpConvention.RingV2);
        Assert.Equal((4, null), (configuration.LayerCount, configuration.MtpLayerIndex));
    }

    [Fact]
    public void The_MTP_layer_of_a_RingV2_model_is_an_MoE_layer_whatever_its_index()
    {
        byte[] json = ConfigurationTestFiles.Edited(root => root["first_k_dense_replace"] = 4);
        ModelConfiguration configuration = ConfigurationReader.Read(json, "config.json", MtpConvention.RingV2);
        Assert.Equal((true, false), (configuration.IsDenseLayer(2), configuration.IsDenseLayer(3)));
        string[] names = [.. TensorCatalog.For(configuration).Select(tensor => tensor.Name)];
        Assert.Contains("model.layers.2.mlp.gate_proj.weight", names);
        Assert.Contains("model.layers.3.mlp.experts.15.down_proj.weight", names);
        Assert.DoesNotContain(names, name => name.StartsWith("model.layers.4.", StringComparison.Ordinal));
    }
}
