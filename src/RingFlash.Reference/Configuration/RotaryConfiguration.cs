using System.Globalization;

namespace RingFlash.Reference.Configuration;

/// <summary>The numbers of the rotary position embedding, YaRN included.</summary>
/// <remarks>
/// YaRN uses the explicit factor and the explicit original length and nothing else. Three versions of the same
/// transformers function take them from three different places, so a configuration that leaves one out is refused.
/// </remarks>
public sealed record RotaryConfiguration
{
    /// <summary>
    /// The number of leading channels of a head that rotate: <c>int(head_dim · partial_rotary_factor)</c>; even.
    /// </summary>
    public required int RotaryDimension { get; init; }

    /// <summary><c>rope_theta</c>: the base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary><c>rope_scaling.type</c> or <c>rope_scaling.rope_type</c>.</summary>
    public RotaryScalingKind Scaling { get; init; } = RotaryScalingKind.Default;

    /// <summary><c>rope_scaling.factor</c>: how many times longer; 1 without scaling.</summary>
    public double Factor { get; init; } = 1.0;

    /// <summary><c>rope_scaling.original_max_position_embeddings</c>: trained length; null without scaling.</summary>
    public int? OriginalMaxPositionEmbeddings { get; init; }

    /// <summary><c>rope_scaling.beta_fast</c>: turns in the original length above which a frequency is kept.</summary>
    public double BetaFast { get; init; } = 32.0;

    /// <summary><c>rope_scaling.beta_slow</c>: turns in the original length below which it is all divided.</summary>
    public double BetaSlow { get; init; } = 1.0;

    /// <summary>
    /// <c>rope_scaling.attention_factor</c>: multiplies cos and sin; null means it follows from the factor
    /// (<c>0.1·ln(factor) + 1</c>, or from <see cref="Mscale"/> and <see cref="MscaleAllDim"/> when both are given).
    /// </summary>
    public double? AttentionFactor { get; init; }

    /// <summary><c>rope_scaling.mscale</c>: acts only together with <see cref="MscaleAllDim"/>.</summary>
    public double? Mscale { get; init; }

    /// <summary><c>rope_scaling.mscale_all_dim</c>: acts only together with <see cref="Mscale"/>.</summary>
    public double? MscaleAllDim { get; init; }

    /// <summary>
    /// One line with every number in use; for YaRN the factor and the original length side by side, because these are
    /// the two that transformers versions replace silently.
    /// </summary>
    /// <returns>The text.</returns>
    public string Describe()
    {
        string start = string.Create(
            CultureInfo.InvariantCulture, $"rotary: {RotaryDimension} leading channels, theta {Theta}");
        if (Scaling == RotaryScalingKind.Default)
        {
            return start + ", no scaling";
        }

        return start + string.Create(
            CultureInfo.InvariantCulture,
            $", yarn: factor {Factor}, original length {OriginalMaxPositionEmbeddings}, beta_fast {BetaFast}, "
            + $"beta_slow {BetaSlow}, attention factor {DescribeAttentionFactor()}");
    }

    private string DescribeAttentionFactor()
    {
        if (AttentionFactor is double given)
        {
            return given.ToString(CultureInfo.InvariantCulture);
        }

        return Mscale is double mscale && MscaleAllDim is double all
            ? string.Create(CultureInfo.InvariantCulture, $"from mscale {mscale} and mscale_all_dim {all}")
            : "0.1 ln(factor) + 1";
    }
}
