using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Configuration;

// Rotary embedding: the keys that back-ends disagree about most.
public static partial class ConfigurationReader
{
    private static RotaryConfiguration ReadRotary(
        JsonSection section, int headDimension, int maxPositions, List<string> warnings)
    {
        if (section.Has("rope_parameters"))
        {
            throw section.Refuse(
                "rope_parameters",
                "the form of transformers v5, which the published code does not read; write rope_theta, "
                + "partial_rotary_factor and rope_scaling instead");
        }

        RotaryConfiguration rotary = new()
        {
            RotaryDimension = ReadRotaryDimension(section, headDimension, warnings),
            Theta = section.Number(
                "rope_theta",
                NumberRule.AboveOne,
                "checkpoints were trained with 600000 and with 10000, so it is not guessed"),
        };
        return section.OptionalSection("rope_scaling") is JsonSection scaling
            ? ReadScaling(scaling, rotary, maxPositions, warnings)
            : rotary;
    }

    private static int ReadRotaryDimension(JsonSection section, int headDimension, List<string> warnings)
    {
        double? factor = section.OptionalNumber("partial_rotary_factor", NumberRule.AboveZeroUpToOne);
        int? given = section.OptionalInteger("rotary_dim", 1, headDimension);
        int dimension;
        switch (factor, given)
        {
            case (null, null):
                throw section.Refuse(
                    "partial_rotary_factor",
                    "required, or rotary_dim: without both the published code and SGLang rotate the whole head, "
                    + "llama.cpp half of it, so it is not guessed; found neither");
            case (null, int alone):
                dimension = alone;
                warnings.Add(
                    $"$.rotary_dim {alone} is used because partial_rotary_factor is missing; the published code does "
                    + $"not read it and would rotate all {headDimension} channels");
                break;
            case (double value, _):
                // Python's int(head_dim * factor): a float64 product, truncated.
                dimension = (int)(headDimension * value);
                if (given is int other && other != dimension)
                {
                    throw section.Refuse("rotary_dim", string.Create(
                        CultureInfo.InvariantCulture,
                        $"must equal int(head_dim * partial_rotary_factor) = int({headDimension} * {value}) = "
                        + $"{dimension}: the published code uses the factor, other back-ends rotary_dim or the product "
                        + $"of both; found {other}"));
                }

                break;
        }

        return dimension > 0 && dimension % 2 == 0
            ? dimension
            : throw section.Refuse(
                factor is null ? "rotary_dim" : "partial_rotary_factor",
                $"must rotate an even number of channels above 0, because channels turn in pairs; found {dimension} of "
                + $"head_dim {headDimension}");
    }

    private static RotaryConfiguration ReadScaling(
        JsonSection scaling, RotaryConfiguration rotary, int maxPositions, List<string> warnings)
    {
        string[] kinds = ["yarn", "default"];
        string? type = scaling.OptionalChoice("type", ": no other scaling is supported", kinds);
        string? ropeType = scaling.OptionalChoice("rope_type", ": no other scaling is supported", kinds);
        if (type is not null && ropeType is not null && type != ropeType)
        {
            throw scaling.Refuse("rope_type", $"must agree with type \"{type}\"; found \"{ropeType}\"");
        }

        string kind = type ?? ropeType
            ?? throw scaling.Refuse("rope_type", "required, or type: \"yarn\" or \"default\"; found neither");
        RotaryConfiguration result = kind == "default" ? rotary : ReadYarn(scaling, rotary);
        if (scaling.UnaskedKeys.FirstOrDefault() is string unknown)
        {
            throw scaling.Refuse(
                unknown, $"unknown key for rope type \"{kind}\", and ignoring it could change every angle");
        }

        if (result.Scaling == RotaryScalingKind.Yarn)
        {
            WarnAboutLength(result, maxPositions, warnings);
        }

        return result;
    }

    private static RotaryConfiguration ReadYarn(JsonSection scaling, RotaryConfiguration rotary)
    {
        if (!scaling.Boolean("truncate", absent: true))
        {
            throw scaling.Refuse(
                "truncate",
                "must be true: only the published form, which rounds the ramp's ends to whole channels, is supported; "
                + "found false");
        }

        RotaryConfiguration yarn = rotary with
        {
            Scaling = RotaryScalingKind.Yarn,
            Factor = scaling.Number(
                "factor",
                NumberRule.AtLeastOne,
                "some transformers versions replace it by a quotient of lengths, so it is not guessed"),
            OriginalMaxPositionEmbeddings = scaling.Integer(
                "original_max_position_embeddings",
                1,
                1 << 30,
                "three transformers versions take the original length from three places, so it is not guessed"),
            BetaFast = scaling.OptionalNumber("beta_fast", NumberRule.Positive) ?? 32.0,
            BetaSlow = scaling.OptionalNumber("beta_slow", NumberRule.Positive) ?? 1.0,
            AttentionFactor = scaling.OptionalNumber("attention_factor", NumberRule.Positive),
            Mscale = scaling.OptionalNumber("mscale", NumberRule.Positive),
            MscaleAllDim = scaling.OptionalNumber("mscale_all_dim", NumberRule.Positive),
        };
        return yarn.BetaFast >= yarn.BetaSlow
            ? yarn
            : throw scaling.Refuse("beta_fast", string.Create(
                CultureInfo.InvariantCulture, $"must not be below beta_slow {yarn.BetaSlow}; found {yarn.BetaFast}"));
    }

    private static void WarnAboutLength(RotaryConfiguration yarn, int maxPositions, List<string> warnings)
    {
        int original = yarn.OriginalMaxPositionEmbeddings!.Value;
        double quotient = (double)maxPositions / original;
        if (Math.Abs(quotient - yarn.Factor) > 1e-9 * yarn.Factor)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"$.rope_scaling: factor {yarn.Factor} and original length {original} are used as written; some "
                + $"transformers versions use max_position_embeddings / original = {quotient} as the factor instead"));
        }
    }
}
