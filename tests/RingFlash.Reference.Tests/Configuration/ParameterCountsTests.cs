// Red means: a tensor is missing from the catalogue, doubled or of the wrong size; the totals are the hub's own.
using System.Linq;
using RingFlash.Reference.Configuration;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class ParameterCountsTests
{
    [Theory]
    [InlineData("ring-flash-2.0", 24_161, 102_889_697_280, 7_936, 6_152_269_824, 4_864_618_496)]
    [InlineData("ring-mini-2.0", 14_813, 16_255_638_528, 4_864, 1_432_968_192, 789_142_528)]
    public void Published_totals(string name, int tensors, long weights, long biases, long active, long activeInner)
    {
        ModelConfiguration configuration = BuiltInConfigurations.Get(name).Configuration;
        ParameterCounts counts = ParameterCounts.For(configuration);
        Assert.Equal(tensors, TensorCatalog.For(configuration).Count);
        Assert.Equal(
            (weights, biases, active, activeInner),
            (counts.Weights, counts.ExpertBiases, counts.ActiveWithEmbeddings, counts.ActiveWithoutEmbeddings));
        Assert.Equal(weights + biases, counts.Total);
        Assert.Equal(counts.Total, counts.Parts.Sum(part => part.Total));
    }

    [Fact]
    public void The_MTP_layer_adds_783_tensors_and_no_active_parameter()
    {
        ModelConfiguration without = BuiltInConfigurations.Get("ring-flash-2.0").Configuration;
        ModelConfiguration with = without with { NextTokenPredictionLayerCount = 1 };
        ParameterCounts counts = ParameterCounts.For(with);
        Assert.Equal(24_161 + 783, TensorCatalog.For(with).Count);
        Assert.Equal(102_889_697_280 + 3_306_180_864, counts.Weights);
        Assert.Equal(7_936 + 256, counts.ExpertBiases);
        Assert.Equal(6_152_269_824, counts.ActiveWithEmbeddings);
        Assert.Equal(
            new PartParameterCount(ModelPart.Mtp, 3_306_180_864 + 256, 0),
            counts.Parts.Single(part => part.Part == ModelPart.Mtp));
    }

    [Fact]
    public void Block_scales_are_no_parameters()
    {
        ModelConfiguration plain = BuiltInConfigurations.Get("ring-mini-2.0").Configuration;
        ModelConfiguration quantised = plain with { Quantization = new QuantizationConfiguration() };
        Assert.Equal(ParameterCounts.For(plain), ParameterCounts.For(quantised));
    }
}
