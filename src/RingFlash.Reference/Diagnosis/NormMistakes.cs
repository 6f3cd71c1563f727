using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the norms.</summary>
internal static class NormMistakes
{
    private const ModelBlocks Everywhere = ModelBlocks.Attention | ModelBlocks.FeedForward | ModelBlocks.FinalNorm
        | ModelBlocks.MultiToken;

    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "norm.epsilon",
            "another epsilon in the norms",
            Everywhere,
            "x / √(mean x² + ε')",
            "x / √(mean x² + ε), ε = rms_norm_eps (1e-6)",
            "class defaults of 1e-5")
        {
            Variants = [.. new[] { 1e-5, 1e-6, 0, 1e-8, 1e-4, 1e-3, 1e-7, 1e-2, 1e-12 }.SelectMany(epsilon => new[]
            {
                At(FormattableString.Invariant($"ε = {epsilon}"), _ => true, With((float)epsilon)),
                At(FormattableString.Invariant($"ε = {epsilon}, hidden norms only"), IsHidden, With((float)epsilon)),
                At(FormattableString.Invariant($"ε = {epsilon}, query and key only"), IsHead, With((float)epsilon)),
            })],
        },
        new(
            "norm.epsilon-outside",
            "epsilon added outside the root",
            Everywhere,
            "x / (√(mean x²) + ε)",
            "x / √(mean x² + ε)",
            string.Empty)
        {
            Variants =
            [
                At("all norms", _ => true, Rows(EpsilonOutside)),
                At("hidden norms only", IsHidden, Rows(EpsilonOutside)),
                At("query and key only", IsHead, Rows(EpsilonOutside)),
            ],
        },
        new(
            "norm.qk-missing",
            "query and key norm skipped",
            ModelBlocks.Attention,
            "RoPE(q), RoPE(k)",
            "RoPE(RMSNorm(q)), RoPE(RMSNorm(k))",
            "use_qk_norm ignored")
        {
            Variants =
            [
                At("queries and keys", IsHead, (_, call) => call.X),
                At("queries only", place => place == Place.Query, (_, call) => call.X),
                At("keys only", place => place == Place.Key, (_, call) => call.X),
            ],
        },
        new(
            "norm.qk-after-rotary",
            "query and key norm after the rotation",
            ModelBlocks.Attention,
            "RMSNorm(RoPE(q))",
            "RoPE(RMSNorm(q))",
            "models that rotate first, then norm")
        {
            Variants = [new("queries and keys", parts => AfterRotary(parts))],
        },
        new(
            "norm.qk-layernorm",
            "LayerNorm instead of RMSNorm for queries and keys",
            ModelBlocks.Attention,
            "(x − mean) / √(var + ε) · w",
            "x / √(mean x² + ε) · w",
            "vLLM at 3a04cf8 when use_rmsnorm is missing")
        {
            Variants = [At(string.Empty, IsHead, Rows(LayerNorm))],
        },
        new(
            "norm.qk-all-heads",
            "query and key norm over all heads together",
            ModelBlocks.Attention,
            "the mean square of all heads of a token",
            "the mean square of the headDim channels of each head",
            "OLMo style norms")
        {
            Variants = [At(string.Empty, IsHead, OverAllHeads)],
        },
        new(
            "norm.qk-swapped",
            "the weights of query and key norm swapped",
            ModelBlocks.Attention,
            "RMSNorm(q)·w_k, RMSNorm(k)·w_q",
            "RMSNorm(q)·w_q, RMSNorm(k)·w_k",
            string.Empty)
        {
            Variants = [new(string.Empty, SwappedHeads)],
        },
        new(
            "norm.values",
            "the key norm applied to the values too",
            ModelBlocks.Attention,
            "RMSNorm(v)",
            "v untouched",
            string.Empty)
        {
            Variants = [new(string.Empty, NormalisedValues)],
        },
        new(
            "norm.layernorm",
            "LayerNorm instead of RMSNorm",
            Everywhere,
            "(x − mean) / √(var + ε) · w",
            "x / √(mean x² + ε) · w",
            string.Empty)
        {
            Variants =
            [
                At("hidden norms", IsHidden, Rows(LayerNorm)),
                At("all norms", _ => true, Rows(LayerNorm)),
            ],
        },
        new(
            "norm.plus-one",
            "norm weights read as 1 + w",
            Everywhere,
            "(1 + w) · x / rms",
            "w · x / rms",
            "Gemma style norms; zero-centred weights of Megatron")
        {
            Variants = Weighted(weight => weight + 1),
        },
        new(
            "norm.weight-missing",
            "norm weights left out",
            Everywhere,
            "x / rms",
            "w · x / rms",
            string.Empty)
        {
            Variants = Weighted(_ => 1),
        },
        new(
            "norm.swapped",
            "the weights of a layer's two norms swapped",
            ModelBlocks.Attention | ModelBlocks.FeedForward,
            "input_layernorm before the MLP, post_attention_layernorm before attention",
            "the other way round",
            "name maps")
        {
            Variants = [new(string.Empty, SwappedInLayer)],
        },
        new(
            "norm.input-missing",
            "a hidden norm skipped",
            ModelBlocks.Attention | ModelBlocks.FeedForward,
            "attention or MLP of h",
            "attention or MLP of RMSNorm(h)",
            string.Empty)
        {
            Variants =
            [
                At("input_layernorm", place => place == Place.InputNorm, (_, call) => call.X),
                At("post_attention_layernorm", place => place == Place.PostAttentionNorm, (_, call) => call.X),
            ],
        },
        new(
            "norm.final-missing",
            "the final norm skipped",
            ModelBlocks.FinalNorm,
            "lm_head(h)",
            "lm_head(RMSNorm(h))",
            string.Empty)
        {
            Variants = [At(string.Empty, place => place == Place.FinalNorm, (_, call) => call.X)],
        },
        new(
            "norm.final-twice",
            "the final norm applied twice",
            ModelBlocks.FinalNorm,
            "RMSNorm(RMSNorm(h))",
            "RMSNorm(h)",
            "a model whose last hidden state is normed already")
        {
            Variants = [At(string.Empty, place => place == Place.FinalNorm, (o, call) =>
                o.RmsNorm(o.RmsNorm(call.X, call.Weight, call.Epsilon), call.Weight, call.Epsilon))],
        },
        new(
            "norm.sum-of-squares",
            "the norm divides by the root of the sum, not of the mean",
            Everywhere,
            "x / √(Σ x² + ε) · w",
            "x / √(mean x² + ε) · w",
            "an L2 norm in place of RMSNorm")
        {
            Variants =
            [
                At("all norms", _ => true, Rows(SumOfSquares)),
                At("query and key only", IsHead, Rows(SumOfSquares)),
            ],
        },
    ];

    /// <summary>A variant of norms at some places.</summary>
    /// <param name="value">Its name.</param>
    /// <param name="where">The places.</param>
    /// <param name="norm">What is computed there.</param>
    /// <returns>The variant.</returns>
    public static MistakeVariant At(
        string value, Func<Place, bool> where, Func<ForwardOperators<float>, NormCall, HostTensor<float>> norm) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
                where(call.Place) ? norm(ops, call) : ops.RmsNorm(call.X, call.Weight, call.Epsilon),
        }));

    private static bool IsHead(Place place) => place is Place.Query or Place.Key;

    private static bool IsHidden(Place place) => !IsHead(place);

    private static Func<ForwardOperators<float>, NormCall, HostTensor<float>> With(float epsilon) =>
        (o, call) => o.RmsNorm(call.X, call.Weight, epsilon);

    private static MistakeVariant[] Weighted(Func<float, float> change)
    {
        HostTensor<float> Norm(ForwardOperators<float> o, NormCall call) =>
            o.RmsNorm(call.X, Array.ConvertAll(call.Weight, weight => change(weight)), call.Epsilon);
        return
        [
            At("all norms", _ => true, Norm),
            At("hidden norms", IsHidden, Norm),
            At("query and key norms", IsHead, Norm),
        ];
    }

    // A norm written out: the row is divided, rounded, weighted, rounded, as the published one is.
    private static Func<ForwardOperators<float>, NormCall, HostTensor<float>> Rows(
        Func<float[], float, (double Shift, double Divisor)> statistics) => (o, call) =>
    {
        Func<float, float> round = o.Rounding();
        HostTensor<float> y = call.X.Zeros();
        for (int row = 0; row < y.Rows; row++)
        {
            float[] x = call.X.Row(row).ToArray();
            (double shift, double divisor) = statistics(x, call.Epsilon);
            for (int d = 0; d < x.Length; d++)
            {
                y.Row(row)[d] = round(round((float)((x[d] - shift) / divisor)) * call.Weight[d]);
            }
        }

        return y;
    };

    private static double MeanSquare(float[] x) => x.Average(value => (double)value * value);

    private static (double Shift, double Divisor) LayerNorm(float[] x, float epsilon)
    {
        double mean = x.Average(value => (double)value);
        return (mean, Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + epsilon));
    }

    private static (double Shift, double Divisor) EpsilonOutside(float[] x, float epsilon) =>
        (0, Math.Sqrt(MeanSquare(x)) + epsilon);

    private static (double Shift, double Divisor) SumOfSquares(float[] x, float epsilon) =>
        (0, Math.Sqrt((MeanSquare(x) * x.Length) + epsilon));

    private static HostTensor<float> OverAllHeads(ForwardOperators<float> operators, NormCall call)
    {
        // [batch, heads, tokens, headDim]: a token's heads are tokens · headDim apart.
        Func<float, float> round = operators.Rounding();
        int batch = call.X.Shape[0], heads = call.X.Shape[1], tokens = call.X.Shape[2];
        HostTensor<float> y = call.X.Zeros();
        for (int token = 0; token < batch * tokens; token++)
        {
            int[] rows = [.. Enumerable.Range(0, heads).Select(
                head => (((token / tokens * heads) + head) * tokens) + (token % tokens))];
            double square = rows.Average(row => MeanSquare(call.X.Row(row).ToArray()));
            foreach (int row in rows)
            {
                for (int d = 0; d < y.Width; d++)
                {
                    float unit = (float)(call.X.Row(row)[d] / Math.Sqrt(square + call.Epsilon));
                    y.Row(row)[d] = round(round(unit) * call.Weight[d]);
                }
            }
        }

        return y;
    }

    private static ModelParts AfterRotary(ModelParts parts)
    {
        Dictionary<Place, NormCall> norms = [];
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                if (!IsHead(call.Place))
                {
                    return ops.RmsNorm(call.X, call.Weight, call.Epsilon);
                }

                norms[call.Place] = call;
                return call.X;
            },
            Rotary = (ops, call) =>
            {
                HostTensor<float> rotated = ops.RotaryEmbedding(call.X, call.Cosine, call.Sine);
                return norms.TryGetValue(call.Place, out NormCall norm)
                    ? ops.RmsNorm(rotated, norm.Weight, norm.Epsilon)
                    : rotated;
            },
        });
    }

    private static ModelParts SwappedHeads(ModelParts parts) => SwappedPairs(parts, (layer, weight) =>
        ReferenceEquals(weight, layer.QueryLayerNorm) ? layer.KeyLayerNorm
        : ReferenceEquals(weight, layer.KeyLayerNorm) ? layer.QueryLayerNorm
        : null);

    private static ModelParts SwappedInLayer(ModelParts parts) => SwappedPairs(parts, (layer, weight) =>
        ReferenceEquals(weight, layer.InputLayerNorm) ? layer.PostAttentionLayerNorm
        : ReferenceEquals(weight, layer.PostAttentionLayerNorm) ? layer.InputLayerNorm
        : null);

    private static ModelParts SwappedPairs(ModelParts parts, Func<LayerWeights, float[], float[]?> other) =>
        parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) => ops.RmsNorm(
                call.X,
                Enumerable.Range(0, parts.Configuration.LayerCount)
                    .Select(layer => other(w.Layer(layer), call.Weight))
                    .FirstOrDefault(weight => weight is not null) ?? call.Weight,
                call.Epsilon),
        });

    private static ModelParts NormalisedValues(ModelParts parts)
    {
        NormCall? key = null;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                key = call.Place == Place.Key ? call : key;
                return ops.RmsNorm(call.X, call.Weight, call.Epsilon);
            },
            Attention = (ops, call) => key is { } norm
                ? (call with { Values = ops.RmsNorm(call.Values, norm.Weight, norm.Epsilon) }).On(ops)
                : call.On(ops),
        });
    }
}
