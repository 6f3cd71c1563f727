using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Comparison;

/// <summary>The axes of a tap in our order, as <c>golden/FORMAT.md</c> lists them.</summary>
/// <param name="Kind">Which axes there are.</param>
/// <param name="Batch">Sequences, b.</param>
/// <param name="Tokens">Tokens of a sequence, t.</param>
/// <param name="Heads">Heads of <see cref="TapKind.Heads"/>; 1 otherwise.</param>
/// <param name="Width">
/// Values per token, or per head and token; null where the tap's name leaves it open; 0 for a tap without that axis.
/// </param>
internal readonly record struct TapAxes(TapKind Kind, int Batch, int Tokens, int Heads, int? Width)
{
    private const string LayerPrefix = "model.layers.";

    /// <summary>Rows b · t.</summary>
    public int RowCount => Batch * Tokens;

    /// <summary>Values of one row, over all heads; null where the name leaves it open.</summary>
    public int? RowWidth => Width is int width ? Heads * Math.Max(width, 1) : null;

    /// <summary>Finds the axes of a tap.</summary>
    /// <param name="tap">The tap.</param>
    /// <param name="configuration">The model.</param>
    /// <param name="input">What it is fed.</param>
    /// <returns>The axes; null when the model has no such tap.</returns>
    public static TapAxes? Of(string tap, ModelConfiguration configuration, ForwardInput input)
    {
        TapAxes Rows(int? width) => new(TapKind.Rows, input.Batch, input.Tokens, 1, width);
        int hidden = configuration.HiddenSize;
        return tap switch
        {
            "model.word_embeddings.output" or "mtp.0.word_embeddings.output" or "model.norm.output" => Rows(hidden),
            "model.rotary_emb.cos" or "model.rotary_emb.sin" => Rows(configuration.Rotary.RotaryDimension),
            "lm_head.output" or "mtp.0.logits" => Rows(configuration.VocabularySize),
            "loss" or "lm_loss" or "mtp.0.loss" => new TapAxes(TapKind.Whole, input.Batch, input.Tokens, 1, 1),
            _ when ShortLogits(tap) is string part => Rows(part is "logsumexp" or "argmax" ? 0 : null),
            _ => SplitLayer(tap) is (int layer, string rest)
                && layer < configuration.LayerCount + configuration.NextTokenPredictionLayerCount
                    ? OfLayer(rest, configuration, input)
                    : null,
        };
    }

    /// <summary>Splits the name of a layer's tap.</summary>
    /// <param name="tap">E.g. <c>model.layers.3.mlp.output</c>.</param>
    /// <returns>3 and <c>mlp.output</c>; null for other taps.</returns>
    public static (int Layer, string Part)? SplitLayer(string tap)
    {
        if (!tap.StartsWith(LayerPrefix, StringComparison.Ordinal))
        {
            return null;
        }

        int end = tap.IndexOf('.', LayerPrefix.Length);
        return end > 0 && int.TryParse(
            tap.AsSpan(LayerPrefix.Length, end - LayerPrefix.Length),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out int layer)
                ? (layer, tap[(end + 1)..])
                : null;
    }

    /// <summary>Our shape.</summary>
    /// <param name="rows">How many rows are there; null for all.</param>
    /// <param name="width">The width when <see cref="Width"/> leaves it open.</param>
    /// <returns>The axes' lengths.</returns>
    public long[] Shape(int? rows, int width)
    {
        long batch = rows is null ? Batch : 1, tokens = rows ?? Tokens;
        IEnumerable<long> last = Width == 0 ? [] : [Width ?? width];
        return Kind switch
        {
            TapKind.Rows => [batch, tokens, .. last],
            TapKind.FlatRows => [batch * tokens, .. last],
            TapKind.Heads => [batch, Heads, tokens, .. last],
            _ => [1],
        };
    }

    private static TapAxes? OfLayer(string rest, ModelConfiguration configuration, ForwardInput input)
    {
        TapAxes Rows(int width) => new(TapKind.Rows, input.Batch, input.Tokens, 1, width);
        TapAxes Flat(int width) => new(TapKind.FlatRows, input.Batch, input.Tokens, 1, width);
        TapAxes Heads(int heads, int width) => new(TapKind.Heads, input.Batch, input.Tokens, heads, width);
        int queries = configuration.AttentionHeadCount, keys = configuration.KeyValueHeadCount;
        return rest switch
        {
            "output" or "input_layernorm.output" or "post_attention_layernorm.output" or "attention.dense.output"
                or "mlp.output" or "mlp.shared_experts.output" or "enorm.output" or "hnorm.output"
                or "eh_proj.output" or "final_layernorm.output" => Rows(configuration.HiddenSize),
            "attention.query_key_value.output" => Rows(configuration.QueryKeyValueWidth),
            "attention.dense.input" => Rows(configuration.QueryWidth),
            "attention.query_layernorm.output" or "attention.rotary.query" =>
                Heads(queries, configuration.HeadDimension),
            "attention.key_layernorm.output" or "attention.rotary.key" => Heads(keys, configuration.HeadDimension),
            "attention.weights" => Heads(queries, input.Tokens),
            "mlp.gate.logits" or "mlp.gate.scores" => Flat(configuration.ExpertCount),
            "mlp.gate.topk_idx" or "mlp.gate.topk_weight" => Flat(configuration.ExpertsPerToken),
            "mlp.gate.margin" => Flat(0),
            "mlp.routed.output" => Flat(configuration.HiddenSize),
            _ => null,
        };
    }

    // The short forms of logits in big cases: lm_head.logits_first4096, .logsumexp, .argmax, .top64.values, .top64.ids.
    private static string? ShortLogits(string tap)
    {
        string? part = new[] { "lm_head.", "mtp.0." }
            .Where(prefix => tap.StartsWith(prefix, StringComparison.Ordinal))
            .Select(prefix => tap[prefix.Length..])
            .FirstOrDefault();
        return part switch
        {
            null => null,
            "logsumexp" or "argmax" => part,
            _ when IsNumbered(part, "logits_first", string.Empty) => part,
            _ when IsNumbered(part, "top", ".values") || IsNumbered(part, "top", ".ids") => part,
            _ => null,
        };
    }

    private static bool IsNumbered(string text, string start, string end) =>
        text.Length > start.Length + end.Length
        && text.StartsWith(start, StringComparison.Ordinal)
        && text.EndsWith(end, StringComparison.Ordinal)
        && text[start.Length..^end.Length].All(char.IsAsciiDigit);
}

/// <summary>Which axes a tap has.</summary>
internal enum TapKind
{
    /// <summary>[b, t, width].</summary>
    Rows,

    /// <summary>[n, width] with n = b · t.</summary>
    FlatRows,

    /// <summary>[b, heads, t, width].</summary>
    Heads,

    /// <summary>[1]: of the pass as a whole.</summary>
    Whole,
}
