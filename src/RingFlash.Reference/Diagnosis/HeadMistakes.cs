using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the language-model head.</summary>
internal static class HeadMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "head.tied",
            "the embedding table used as the head",
            ModelBlocks.Head,
            "h · Eᵀ",
            "h · W_headᵀ: tie_word_embeddings is false",
            "tie_word_embeddings read as true")
        {
            Variants = [Head(string.Empty, (o, w, x, head) => o.LinearProjection(x, w.WordEmbeddings, []))],
        },
        new(
            "head.before-norm",
            "the head reading the hidden state before the final norm",
            ModelBlocks.Head,
            "h · W_headᵀ",
            "RMSNorm(h) · W_headᵀ",
            "logits taken from the last layer's output")
        {
            Variants = [new(string.Empty, BeforeNorm)],
        },
        new(
            "head.normalised",
            "the head's weights normalised at load",
            ModelBlocks.Head,
            "W / ‖W‖ along an axis",
            "W",
            "norm_head inherited from v1 configurations")
        {
            Variants =
            [
                Normalised("over the vocabulary, column by column", byColumn: true),
                Normalised("over the hidden channels, row by row", byColumn: false),
            ],
        },
        new(
            "head.scaled",
            "logits scaled",
            ModelBlocks.Head,
            "logits · c, or limited",
            "logits",
            "muP style logit scaling; soft-capping of Gemma and Grok")
        {
            Variants =
            [
                Logits("divided by √hidden", (logit, width) => logit / Math.Sqrt(width)),
                Logits("times √hidden", (logit, width) => logit * Math.Sqrt(width)),
                Logits("divided by 256", (logit, _) => logit / 256),
                Logits("30·tanh(logit / 30)", (logit, _) => 30 * Math.Tanh(logit / 30)),
                Logits("50·tanh(logit / 50)", (logit, _) => 50 * Math.Tanh(logit / 50)),
                Logits("15·tanh(logit / 15)", (logit, _) => 15 * Math.Tanh(logit / 15)),
                Logits("halved", (logit, _) => logit / 2),
                Logits("doubled", (logit, _) => logit * 2),
            ],
        },
        new(
            "head.log-softmax",
            "log-probabilities or probabilities in place of logits",
            ModelBlocks.Head,
            "log softmax(logits), softmax(logits)",
            "logits",
            "llama.cpp and servers return log-probabilities")
        {
            Variants = [Probabilities("log-probabilities", true), Probabilities("probabilities", false)],
        },
        new(
            "head.shifted",
            "the logits of another position",
            ModelBlocks.Head,
            "logits[t ± 1]",
            "logits[t]",
            "labels or hidden states shifted before the head")
        {
            Variants = [Shifted("the next position's", 1), Shifted("the position's before", -1)],
        },
        new(
            "head.bfloat16",
            "the head in bfloat16 in a float32 run",
            ModelBlocks.Head,
            "bf16(bf16(h) · bf16(W)ᵀ)",
            "h · Wᵀ in the type of the activations",
            "serving engines run the head in bf16")
        {
            Variants =
            [
                Head("operands and logits rounded", (o, _, x, head) =>
                    o.LinearProjection(x.ToBFloat16(), Rounded(head), []).ToBFloat16()),
                Head("logits rounded", (o, _, x, head) => o.LinearProjection(x, head, []).ToBFloat16()),
                Head("operands rounded", (o, _, x, head) => o.LinearProjection(x.ToBFloat16(), Rounded(head), [])),
            ],
        },
        new(
            "head.float32",
            "the head in float32 in a bfloat16 run",
            ModelBlocks.Head,
            "h · Wᵀ, not rounded",
            "bf16(h · Wᵀ)",
            "flags for a float32 head")
        {
            Variants = [Head(string.Empty, (o, _, x, head) => o.RouterLogits(x, head).Reshape(
                [.. x.Shape[..^1], head.Outputs]))],
            IsPrecision = true,
        },
    ];

    private static ModelParts BeforeNorm(ModelParts parts)
    {
        HostTensor<float>? before = null;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                before = call.Place == Place.FinalNorm ? call.X : before;
                return ops.RmsNorm(call.X, call.Weight, call.Epsilon);
            },
            Product = (ops, x, weight, bias) => ops.LinearProjection(
                ReferenceEquals(weight, w.LanguageModelHead) && before?.Rows == x.Rows ? before : x, weight, bias),
        });
    }

    private static MistakeVariant Head(
        string value,
        Func<ForwardOperators<float>, ModelWeights, HostTensor<float>, WeightMatrix, HostTensor<float>> product) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Product = (ops, x, weight, bias) => ReferenceEquals(weight, w.LanguageModelHead)
                ? product(ops, w, x, weight)
                : ops.LinearProjection(x, weight, bias),
        }));

    private static MistakeVariant Logits(string value, Func<double, int, double> change) =>
        Head(value, (o, _, x, head) =>
        {
            Func<float, float> round = o.Rounding();
            return o.LinearProjection(x, head, []).Map((logit, _) => round((float)change(logit, x.Width)));
        });

    private static MistakeVariant Shifted(string value, int shift) =>
        new(value, parts => Head(value, (o, _, x, head) =>
        {
            int tokens = parts.Input.Tokens;
            HostTensor<float> logits = o.LinearProjection(x, head, []);
            return logits.Rows != parts.Input.Ids.Length ? logits : logits.Map((_, index) =>
            {
                int row = index / logits.Width, start = row / tokens * tokens;
                return logits.Row(start + ((row - start + shift + tokens) % tokens))[index % logits.Width];
            });
        }).Apply(parts));

    private static MistakeVariant Probabilities(string value, bool logarithm) =>
        Head(value, (o, _, x, head) =>
        {
            HostTensor<float> logits = o.LinearProjection(x, head, []);
            double[] sums = [.. Enumerable.Range(0, logits.Rows).Select(row =>
            {
                float[] values = logits.Row(row).ToArray();
                double largest = values.Max();
                return largest + Math.Log(values.Sum(value => Math.Exp(value - largest)));
            })];
            return logits.Map((logit, index) =>
            {
                double log = logit - sums[index / logits.Width];
                return (float)(logarithm ? log : Math.Exp(log));
            });
        });

    private static MistakeVariant Normalised(string value, bool byColumn) =>
        new(value, parts =>
        {
            WeightMatrix normalised = Normalise(parts.Weights.LanguageModelHead, byColumn);
            return Head(value, (o, _, x, _) => o.LinearProjection(x, normalised, [])).Apply(parts);
        });

    // torch.nn.functional.normalize: v / max(‖v‖, ε).
    private static WeightMatrix Normalise(WeightMatrix head, bool byColumn)
    {
        double[] squares = new double[byColumn ? head.Inputs : head.Outputs];
        head.Map((row, column, value) =>
        {
            squares[byColumn ? column : row] += (double)value * value;
            return value;
        });
        return head.Map((row, column, value) =>
            (float)(value / Math.Max(Math.Sqrt(squares[byColumn ? column : row]), 1e-7)));
    }

    private static WeightMatrix Rounded(WeightMatrix matrix) => matrix.Map((_, _, value) => BFloat16.Round(value));
}
