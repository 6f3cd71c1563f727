using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in attention itself.</summary>
internal static class AttentionMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "attention.scale",
            "another softmax scale",
            ModelBlocks.Attention,
            "q·k · c'",
            "q·k / √headDim",
            "scale folded twice; attention factor² of YaRN folded in")
        {
            Variants =
            [
                Scaled("none", parts => Root(parts)),
                Scaled("1 / headDim", parts => 1 / Root(parts)),
                Scaled("1 / √hidden", parts => Root(parts) / Math.Sqrt(parts.Configuration.HiddenSize)),
                Scaled("1 / √R", parts => Root(parts) / Math.Sqrt(parts.Configuration.Rotary.RotaryDimension)),
                Scaled("√headDim", parts => parts.Configuration.HeadDimension),
                Scaled("1 / √(hidden / heads)", parts => Root(parts) / Math.Sqrt(
                    (double)parts.Configuration.HiddenSize / parts.Configuration.AttentionHeadCount)),
                Scaled("times the attention factor²", parts =>
                    Math.Pow(RotaryTable.For(parts.Configuration.Rotary).AttentionScaling, 2)),
                Scaled("1 / √64", parts => Root(parts) / 8),
                Scaled("1 / √128", parts => Root(parts) / Math.Sqrt(128)),
            ],
        },
        new(
            "attention.mask",
            "another mask than the causal one",
            ModelBlocks.Attention,
            "other keys are seen",
            "query p sees keys 0 … p",
            "is_causal lost with a mask of one's own")
        {
            Variants =
            [
                Masked("no mask: every query sees every key", (_, _, _) => true),
                Masked("own token hidden", (query, key, _) => key < query || query == 0),
                Masked("own token hidden but the first's", (query, key, _) => key < query || query + key == 0),
                Masked("next token seen", (query, key, _) => key <= query + 1),
                Masked("later tokens only", (query, key, _) => key >= query),
                Masked("padding ignored", (query, key, _) => key <= query, ignorePadding: true),
                .. new[] { 1, 2, 4, 8, 16, 64, 128, 512, 4096 }.Select(window => Masked(
                    FormattableString.Invariant($"window of {window}"),
                    (query, key, _) => key <= query && key > query - window)),
            ],
        },
        new(
            "attention.heads-tiled",
            "key and value heads tiled instead of repeated",
            ModelBlocks.Attention,
            "query head j reads key/value head j mod Hkv",
            "query head j reads key/value head ⌊j / (H / Hkv)⌋",
            "repeat in place of repeat_interleave")
        {
            Variants =
            [
                Heads("keys and values", (head, shape) => head % shape.KeyValueHeads, keys: true, values: true),
                Heads("keys only", (head, shape) => head % shape.KeyValueHeads, keys: true, values: false),
                Heads("values only", (head, shape) => head % shape.KeyValueHeads, keys: false, values: true),
                Heads("always the first", (_, _) => 0, keys: true, values: true),
                Heads(
                    "counted from the end",
                    (head, shape) => shape.KeyValueHeads - 1 - shape.KeyValueHead(head),
                    keys: true,
                    values: true),
            ],
        },
        new(
            "attention.softcap",
            "scores limited by tanh",
            ModelBlocks.Attention,
            "c·tanh(score / c)",
            "score",
            "Gemma 2, Grok")
        {
            Variants = [.. new[] { 50.0, 30, 20 }.Select(cap => Written(
                FormattableString.Invariant($"c = {cap}"),
                (scores, _) => Weights(scores, score => cap * Math.Tanh(score / cap))))],
        },
        new(
            "attention.sink",
            "softmax with a sink",
            ModelBlocks.Attention,
            "exp(s) / (1 + Σ exp(s))",
            "exp(s) / Σ exp(s)",
            "softmax-off-by-one; attention sinks of gpt-oss")
        {
            Variants = [Written("a sink of score 0", (scores, _) => WithSink(scores))],
        },
        new(
            "attention.sigmoid",
            "another function in place of softmax",
            ModelBlocks.Attention,
            "sigmoid(s), or uniform weights",
            "softmax(s)",
            string.Empty)
        {
            Variants =
            [
                Written("sigmoid", (scores, _) => [.. scores.Select(score => 1 / (1 + Math.Exp(-score)))]),
                Written("uniform", (scores, _) => [.. scores.Select(_ => 1.0 / scores.Length)]),
                Written("temperature 2", (scores, _) => Weights(scores, score => score / 2)),
            ],
        },
        new(
            "attention.head-order",
            "heads joined in another order",
            ModelBlocks.Attention,
            "[headDim, heads] before the output projection, or other heads first",
            "[heads, headDim]",
            "a transpose left out")
        {
            Variants =
            [
                Context("channels first", (place, shape) =>
                    (place % shape.Heads * shape.HeadDim) + (place / shape.Heads)),
                Context("last head first", (place, shape) =>
                    ((shape.Heads - 1 - (place / shape.HeadDim)) * shape.HeadDim) + (place % shape.HeadDim)),
                Context("heads strided over their groups", (place, shape) =>
                {
                    int head = place / shape.HeadDim, group = shape.Heads / shape.KeyValueHeads;
                    return (((head % shape.KeyValueHeads * group) + (head / shape.KeyValueHeads)) * shape.HeadDim)
                        + (place % shape.HeadDim);
                }),
                Context("not transposed: [heads, tokens, headDim] read as [tokens, heads, headDim]", null),
            ],
        },
        new(
            "attention.softmax-bfloat16",
            "softmax weights rounded to bfloat16 in a float32 run",
            ModelBlocks.Attention,
            "bf16(softmax(s)) · v",
            "softmax(s) · v in the type of the activations",
            "flash kernels in bf16")
        {
            Variants = [Written(string.Empty, (scores, _) =>
                [.. Weights(scores, score => score).Select(weight => (double)BFloat16.Round((float)weight))])],
        },
    ];

    private static double Root(ModelParts parts) => Math.Sqrt(parts.Configuration.HeadDimension);

    // The scale stays where it is; queries are multiplied by what is wrong with it.
    private static MistakeVariant Scaled(string value, Func<ModelParts, double> factor) =>
        new(value, parts =>
        {
            float wrong = (float)factor(parts);
            return Math.Abs(wrong - 1) < 1e-6 ? parts : parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Attention = (ops, call) =>
                    (call with { Query = call.Query.Map((value, _) => value * wrong) }).On(ops),
            });
        });

    private static MistakeVariant Heads(
        string value, Func<int, AttentionShape, int> source, bool keys, bool values) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Attention = (ops, call) => (call with
            {
                Shape = call.Shape with { KeyValueHeads = call.Shape.Heads },
                Keys = Spread(call.Keys, call.Shape, keys ? source : (head, shape) => shape.KeyValueHead(head)),
                Values = Spread(call.Values, call.Shape, values ? source : (head, shape) => shape.KeyValueHead(head)),
            }).On(ops),
        }));

    private static HostTensor<float> Spread(
        HostTensor<float> heads, AttentionShape shape, Func<int, AttentionShape, int> source)
    {
        int size = shape.CacheCapacity * shape.HeadDim;
        HostTensor<float> spread = new(shape.Batch, shape.Heads, shape.CacheCapacity, shape.HeadDim);
        for (int head = 0; head < shape.Batch * shape.Heads; head++)
        {
            int from = (head / shape.Heads * shape.KeyValueHeads) + source(head % shape.Heads, shape);
            heads.Span.Slice(from * size, size).CopyTo(spread.Span[(head * size)..]);
        }

        return spread;
    }

    private static MistakeVariant Context(string value, Func<int, AttentionShape, int>? source) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Attention = (ops, call) =>
            {
                HostTensor<float> context = call.On(ops);
                AttentionShape shape = call.Shape;
                return source is not null
                    ? context.Permute([.. Enumerable.Range(0, context.Width).Select(place => source(place, shape))])
                    : context.Map((_, index) =>
                    {
                        int sequence = index / (shape.QueryTokens * context.Width);
                        int flat = index % (shape.QueryTokens * context.Width);
                        int head = flat / (shape.QueryTokens * shape.HeadDim);
                        int token = flat / shape.HeadDim % shape.QueryTokens;
                        return context.Row((sequence * shape.QueryTokens) + token)[
                            (head * shape.HeadDim) + (flat % shape.HeadDim)];
                    });
            },
        }));

    private static MistakeVariant Masked(
        string value, Func<int, int, AttentionShape, bool> sees, bool ignorePadding = false) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Attention = (ops, call) => Attend(
                ops,
                ignorePadding ? call with { Visible = [] } : call,
                sees,
                (scores, _) => Weights(scores, score => score)),
        }));

    private static MistakeVariant Written(string value, Func<double[], AttentionShape, double[]> weigh) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Attention = (ops, call) => Attend(ops, call, (query, key, _) => key <= query, weigh),
        }));

    private static double[] Weights(double[] scores, Func<double, double> change)
    {
        double[] changed = [.. scores.Select(change)];
        double largest = changed.Max();
        double[] exponentials = [.. changed.Select(score => Math.Exp(score - largest))];
        double sum = exponentials.Sum();
        return [.. exponentials.Select(value => value / sum)];
    }

    private static double[] WithSink(double[] scores)
    {
        double sum = scores.Sum(Math.Exp) + 1;
        return [.. scores.Select(score => Math.Exp(score) / sum)];
    }

    // Attention written out, without a cache: scores and weights in float64, rounded where the policy rounds them.
    private static HostTensor<float> Attend(
        ForwardOperators<float> operators,
        AttentionCall call,
        Func<int, int, AttentionShape, bool> sees,
        Func<double[], AttentionShape, double[]> weigh)
    {
        AttentionShape shape = call.Shape;
        Func<float, float> round = operators.Rounding();
        HostTensor<float> context = new(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
        double root = Math.Sqrt(shape.HeadDim);
        for (int sequence = 0; sequence < shape.Batch; sequence++)
        {
            for (int head = 0; head < shape.Heads; head++)
            {
                int stored = ((sequence * shape.KeyValueHeads) + shape.KeyValueHead(head)) * shape.CacheCapacity;
                for (int query = 0; query < shape.QueryTokens; query++)
                {
                    int[] seen = [.. Enumerable.Range(0, shape.KeyTokens).Where(key => sees(query, key, shape)
                        && (call.Visible.Length == 0 || call.Visible[(sequence * shape.KeyTokens) + key] != 0))];
                    seen = seen.Length > 0 ? seen : [.. Enumerable.Range(0, shape.KeyTokens)];
                    Span<float> q = call.Query.Row((((sequence * shape.Heads) + head) * shape.QueryTokens) + query);
                    double[] scores = new double[seen.Length];
                    for (int i = 0; i < seen.Length; i++)
                    {
                        Span<float> k = call.Keys.Row(stored + seen[i]);
                        double product = 0;
                        for (int d = 0; d < shape.HeadDim; d++)
                        {
                            product += (double)q[d] * k[d];
                        }

                        scores[i] = round((float)(round((float)product) / root));
                    }

                    double[] weights = weigh(scores, shape);
                    Span<float> row = context.Row((sequence * shape.QueryTokens) + query)
                        .Slice(head * shape.HeadDim, shape.HeadDim);
                    for (int d = 0; d < shape.HeadDim; d++)
                    {
                        double sum = 0;
                        for (int i = 0; i < seen.Length; i++)
                        {
                            sum += (double)round((float)weights[i]) * call.Values.Row(stored + seen[i])[d];
                        }

                        row[d] = round((float)sum);
                    }
                }
            }
        }

        return context;
    }
}
