using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Configuration;

/// <summary>The parameters of one part of the model.</summary>
/// <param name="Part">The part.</param>
/// <param name="Total">All of them, expert biases included.</param>
/// <param name="Active">
/// Those that one token of the main model uses: of the routed experts the chosen ones, of the MTP layer none. Expert
/// biases choose and do not weigh, so they are not counted, as in the published figures.
/// </param>
public sealed record PartParameterCount(ModelPart Part, long Total, long Active);

/// <summary>How many parameters a model has and how many of them a token uses.</summary>
/// <remarks>Counted over <see cref="TensorCatalog.Entries"/>; block scales of FP8 are not parameters.</remarks>
public sealed record ParameterCounts
{
    /// <summary>The parts that the model has, in the order of the enumeration.</summary>
    public required IReadOnlyList<PartParameterCount> Parts { get; init; }

    /// <summary>Weights: everything except the expert biases; in a plain checkpoint the bf16 parameters.</summary>
    public required long Weights { get; init; }

    /// <summary>Expert biases, kept in float32.</summary>
    public required long ExpertBiases { get; init; }

    /// <summary>Every parameter, the MTP layer included.</summary>
    public long Total => Weights + ExpertBiases;

    /// <summary>What a token uses, embedding table and LM head counted whole.</summary>
    public long ActiveWithEmbeddings => Parts.Sum(part => part.Active);

    /// <summary>What a token uses besides the embedding table and the LM head.</summary>
    public long ActiveWithoutEmbeddings => Parts
        .Where(part => part.Part is not (ModelPart.Embedding or ModelPart.LmHead))
        .Sum(part => part.Active);

    /// <summary>Counts a model.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>The counts.</returns>
    public static ParameterCounts For(ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        CatalogTensor[] parameters =
            [.. TensorCatalog.Entries(configuration).Where(entry => entry.ScaledName is null)];
        long biases = parameters.Where(IsExpertBias).Sum(entry => entry.Info.ElementCount);
        long all = parameters.Sum(entry => entry.Info.ElementCount);
        return new ParameterCounts
        {
            Parts = new ValueList<PartParameterCount>(parameters
                .GroupBy(entry => entry.Part)
                .OrderBy(group => group.Key)
                .Select(group => CountPart(group.Key, [.. group], configuration))),
            Weights = all - biases,
            ExpertBiases = biases,
        };
    }

    private static PartParameterCount CountPart(
        ModelPart part, CatalogTensor[] tensors, ModelConfiguration configuration)
    {
        long total = tensors.Sum(entry => entry.Info.ElementCount);
        long weights = tensors.Where(entry => !IsExpertBias(entry)).Sum(entry => entry.Info.ElementCount);
        long active = part switch
        {
            ModelPart.Mtp => 0,

            // All experts have one size; dividing first keeps the count exact and inside 64 bits.
            ModelPart.RoutedExperts => weights / configuration.ExpertCount * configuration.ExpertsPerToken,
            _ => weights,
        };
        return new PartParameterCount(part, total, active);
    }

    private static bool IsExpertBias(CatalogTensor entry) => entry.Info.ElementType == ElementType.Float32;
}
