using System;
using System.Globalization;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>How many tokens a model can look back on: those it was trained on, or YaRN's multiple of them.</summary>
/// <remarks>
/// Positions beyond the trained ones rotate by angles that no weight has seen. YaRN slows the slow channels down so
/// that the angles stay in range; the published recipe is factor 4 over 32 768 positions. It changes short prompts too,
/// so it is never switched on by itself.
/// </remarks>
public static class ContextLength
{
    /// <summary>The longest context of a model.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>
    /// <c>max_position_embeddings</c>; with YaRN factor · original length, where that is more.
    /// </returns>
    public static int Of(ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        RotaryConfiguration rotary = configuration.Rotary;
        return rotary.Scaling == RotaryScalingKind.Yarn
            ? (int)Math.Min(
                int.MaxValue,
                Math.Max(
                    configuration.MaxPositionEmbeddings, rotary.Factor * rotary.OriginalMaxPositionEmbeddings!.Value))
            : configuration.MaxPositionEmbeddings;
    }

    /// <summary>The same model under YaRN, as its model card recommends for long texts.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="factor">How many times longer, more than 1.</param>
    /// <returns>The configuration; the original length is the trained one.</returns>
    /// <exception cref="InvalidInputException">
    /// The factor is out of range, or the model is under YaRN already.
    /// </exception>
    public static ModelConfiguration WithYarn(ModelConfiguration configuration, double factor)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        if (!(factor > 1 && factor <= 1024))
        {
            throw new InvalidInputException(
                GenerationRequest.SourceName,
                "yarn",
                string.Create(CultureInfo.InvariantCulture, $"factor {factor} must be above 1 and at most 1024"))
            {
                IsSetting = true,
            };
        }

        return configuration.Rotary.Scaling == RotaryScalingKind.Yarn
            ? throw new InvalidInputException(
                configuration.SourceName, "rope_scaling", $"is there already: {configuration.Rotary.Describe()}")
            {
                IsSetting = true,
            }
            : configuration with
            {
                Rotary = configuration.Rotary with
                {
                    Scaling = RotaryScalingKind.Yarn,
                    Factor = factor,
                    OriginalMaxPositionEmbeddings = configuration.MaxPositionEmbeddings,
                },
            };
    }

    /// <summary>What to do about a context that is too short; begins with a separator.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>Advice, or nothing where YaRN is on.</returns>
    internal static string Advice(ModelConfiguration configuration) =>
        configuration.Rotary.Scaling == RotaryScalingKind.Yarn
            ? string.Empty
            : $"; the model was trained on {configuration.MaxPositionEmbeddings} positions, more need YaRN";
}
