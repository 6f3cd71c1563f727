using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// Reads <c>config.json</c> and believes nothing: the JSON is strict, every value has a type and a range, the values
/// must fit each other, and where back-ends disagree about a default the file has to say it.
/// </summary>
public static partial class ConfigurationReader
{
    /// <summary>The largest file that is read: 16 MiB. A real one has two kilobytes.</summary>
    public const int MaximumByteCount = 16 * 1024 * 1024;

    /// <summary>Reads a <c>config.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="convention">How <c>num_hidden_layers</c> counts the MTP layer.</param>
    /// <param name="tensorNames">
    /// The names in the checkpoint, from which <see cref="MtpConvention.Detect"/> decides; null when unknown.
    /// </param>
    /// <returns>The checked configuration.</returns>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    /// <exception cref="InvalidInputException">Anything else.</exception>
    public static ModelConfiguration ReadFile(
        string path,
        MtpConvention convention = MtpConvention.Detect,
        IEnumerable<string>? tensorNames = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Read(ReadBytes(path), path, convention, tensorNames);
    }

    /// <summary>Reads the bytes of a <c>config.json</c>.</summary>
    /// <param name="json">UTF-8 without a byte order mark.</param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <param name="convention">How <c>num_hidden_layers</c> counts the MTP layer.</param>
    /// <param name="tensorNames">The names in the checkpoint; null when they are not known.</param>
    /// <returns>The checked configuration.</returns>
    /// <exception cref="InvalidInputException">The bytes break a rule.</exception>
    public static ModelConfiguration Read(
        ReadOnlyMemory<byte> json,
        string sourceName,
        MtpConvention convention = MtpConvention.Detect,
        IEnumerable<string>? tensorNames = null)
    {
        ArgumentNullException.ThrowIfNull(sourceName);
        if (json.Length > MaximumByteCount)
        {
            throw new InvalidInputException(
                sourceName, string.Empty, $"a configuration has at most {MaximumByteCount} bytes; found {json.Length}");
        }

        using JsonDocument document = StrictJson.Parse(json, sourceName);
        JsonSection section = new(document.RootElement, sourceName, "$");
        ModelConfiguration configuration = ReadModel(section, sourceName);
        configuration = convention switch
        {
            MtpConvention.Detect when tensorNames is null => configuration,
            MtpConvention.Detect => configuration.ResolveMtpConvention(tensorNames),
            _ => configuration with { MtpConvention = convention },
        };
        CheckSize(configuration, section);
        return configuration;
    }

    /// <summary>Reads the bytes of a <c>config.json</c> and checks nothing but their number.</summary>
    /// <param name="path">The file.</param>
    /// <returns>UTF-8, not checked.</returns>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    /// <exception cref="InvalidInputException">It is larger than any configuration.</exception>
    public static byte[] ReadBytes(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new EnvironmentException(path, "is a folder; name the config.json in it");
        }

        return SmallFile.Read(path, MaximumByteCount, "a configuration");
    }

    private static ModelConfiguration ReadModel(JsonSection section, string sourceName)
    {
        List<string> warnings = [];
        List<string> ignored = [];
        CheckModelType(section);

        int hiddenSize = section.Integer("hidden_size", 1, 1 << 20);
        int layers = section.Integer("num_hidden_layers", 1, 4096);
        int heads = section.Integer("num_attention_heads", 1, 4096);
        int keyValueHeads = section.Integer("num_key_value_heads", 1, 4096);
        if (heads % keyValueHeads != 0)
        {
            throw section.Refuse(
                "num_key_value_heads", $"must divide num_attention_heads {heads}; found {keyValueHeads}");
        }

        int headDimension = ReadHeadDimension(section, hiddenSize, heads);
        int vocabulary = section.Integer("vocab_size", 1, 1 << 24);
        int maxPositions = section.Integer("max_position_embeddings", 1, 1 << 30);
        int nextTokenLayers = ReadNextTokenLayerCount(section);

        _ = section.OptionalChoice("hidden_act", ": the published MLP is SwiGLU", "silu")
            ?? throw section.Refuse(
                "hidden_act", $"required and must be \"silu\"; found {section.Found("hidden_act")}");
        _ = section.OptionalChoice("score_function", ": the published gate has no other", "sigmoid");

        ModelConfiguration configuration = new()
        {
            SourceName = sourceName,
            VocabularySize = vocabulary,
            HiddenSize = hiddenSize,
            DeclaredLayerCount = layers,
            AttentionHeadCount = heads,
            KeyValueHeadCount = keyValueHeads,
            HeadDimension = headDimension,
            IntermediateSize = section.Integer("intermediate_size", 1, 1 << 24),
            ExpertIntermediateSize = section.Integer("moe_intermediate_size", 1, 1 << 20),
            ExpertCount = section.Integer("num_experts", 1, 1 << 16),
            ExpertsPerToken = section.Integer("num_experts_per_tok", 1, 1 << 16),
            SharedExpertCount = ReadSharedExpertCount(section),
            FirstDenseLayerCount = ReadFirstDenseLayerCount(section, layers),
            GroupCount = section.Integer("n_group", 0, 1 << 16),
            ChosenGroupCount = section.Integer("topk_group", 0, 1 << 16),
            RoutedScalingFactor = section.Number(
                "routed_scaling_factor",
                NumberRule.Positive,
                "the class default is 1.0 and the trained value 2.5, so it is not guessed"),
            RmsNormEpsilon = section.Number("rms_norm_eps", NumberRule.Positive),
            UseQueryKeyNorm = section.Boolean("use_qk_norm", absent: true),
            UseQueryKeyValueBias = section.Boolean("use_qkv_bias", absent: false),
            UseBias = section.Boolean("use_bias", absent: false),
            Rotary = ReadRotary(section, headDimension, maxPositions, warnings),
            MaxPositionEmbeddings = maxPositions,
            TieWordEmbeddings = section.Boolean("tie_word_embeddings", absent: false),
            NextTokenPredictionLayerCount = nextTokenLayers,
            MtpLossScalingFactor = section.OptionalNumber("mtp_loss_scaling_factor", NumberRule.NotNegative) ?? 0.0,
            PadTokenId = section.OptionalInteger("pad_token_id", 0, vocabulary - 1),
            EndOfSequenceTokenIds = ReadEndOfSequence(section, vocabulary),
            TorchDtype = ReadTorchDtype(section),
            Quantization = ReadQuantization(section, ignored, warnings),
        };
        CheckGroups(configuration, section);
        WarnAboutIgnoredValues(configuration, section, warnings);
        ignored.AddRange(section.UnaskedKeys.Where(key => !KnownButUnread.Contains(key)).Select(section.PathOf));
        return configuration with
        {
            IgnoredKeys = new ValueList<string>(ignored),
            Warnings = new ValueList<string>(warnings),
        };
    }

    private static void CheckModelType(JsonSection section)
    {
        string? type = section.OptionalText("model_type");
        List<string> architectures = [];
        if (section.Find("architectures") is JsonElement list)
        {
            if (list.ValueKind != JsonValueKind.Array
                || list.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            {
                throw section.Refuse(
                    "architectures", $"must be a list of strings; found {section.Found("architectures")}");
            }

            architectures.AddRange(list.EnumerateArray().Select(item => item.GetString()!));
        }

        // The published files say bailing_moe, which older models use too: only the class name tells them apart.
        bool named = architectures.Contains("BailingMoeV2ForCausalLM");
        bool good = type switch
        {
            "bailing_moe" => named,
            "bailing_moe_v2" => named || architectures.Count == 0,
            _ => false,
        };
        if (!good)
        {
            throw section.Refuse(
                "model_type",
                "not this model: must be \"bailing_moe\" or \"bailing_moe_v2\" with architecture "
                + $"BailingMoeV2ForCausalLM; found model_type {section.Found("model_type")}, architectures "
                + $"{section.Found("architectures")}");
        }
    }
}
