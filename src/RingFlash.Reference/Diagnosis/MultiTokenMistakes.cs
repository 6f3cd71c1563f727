using System;
using System.Collections.Generic;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the multi-token-prediction layer.</summary>
internal static class MultiTokenMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "mtp.before-final-norm",
            "the MTP layer fed the hidden state before the final norm",
            ModelBlocks.MultiToken,
            "hnorm(h)",
            "hnorm(norm(h))",
            "DeepSeek style code")
        {
            Variants = [new(string.Empty, BeforeFinalNorm)],
        },
        new(
            "mtp.halves-swapped",
            "the halves of the MTP input swapped",
            ModelBlocks.MultiToken,
            "eh_proj · [hidden, embedding]",
            "eh_proj · [embedding, hidden]",
            "swapped halves load without an error of shape")
        {
            Variants = [new(string.Empty, parts => parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Join = (ops, embeddings, hidden) => ops.Concatenate(hidden, embeddings),
            }))],
        },
        new(
            "mtp.output-norm-missing",
            "the MTP layer's final norm left out",
            ModelBlocks.MultiToken,
            "lm_head(z)",
            "lm_head(final_layernorm(z))",
            "llama.cpp stores it as the layer's output norm and does not use it")
        {
            Variants =
            [
                NormMistakes.At("left out", place => place == Place.MultiTokenFinalNorm, (_, call) => call.X),
                new("the model's own in its place", parts => NormMistakes.At(
                    string.Empty,
                    place => place == Place.MultiTokenFinalNorm,
                    (o, call) => o.RmsNorm(call.X, parts.Weights.FinalNorm, call.Epsilon)).Apply(parts)),
            ],
        },
        new(
            "mtp.input-norms",
            "enorm and hnorm wrong",
            ModelBlocks.MultiToken,
            "left out, or swapped",
            "enorm on the embedding, hnorm on the hidden state",
            string.Empty)
        {
            Variants =
            [
                NormMistakes.At("enorm left out", place => place == Place.EmbeddingNorm, (_, call) => call.X),
                NormMistakes.At("hnorm left out", place => place == Place.HiddenNorm, (_, call) => call.X),
                new("swapped", parts => NormMistakes.At(
                    string.Empty,
                    place => place is Place.EmbeddingNorm or Place.HiddenNorm,
                    (o, call) => o.RmsNorm(
                        call.X,
                        call.Place == Place.EmbeddingNorm
                            ? parts.Weights.MultiToken!.HiddenNorm
                            : parts.Weights.MultiToken!.EmbeddingNorm,
                        call.Epsilon)).Apply(parts)),
            ],
        },
        new(
            "mtp.token-shift",
            "the MTP layer fed the embedding of another token",
            ModelBlocks.MultiToken,
            "E[x_t], or E[x_{t+2}]",
            "E[x_{t+1}], token 0 at the end",
            "ids rolled once too often, or not at all")
        {
            Variants =
            [
                Shifted("token t itself", (ids, index, _) => ids[index]),
                Shifted("token t + 2", (ids, index, tokens) =>
                    index % tokens < tokens - 2 ? ids[index + 2] : 0),
                Shifted("the first token at the end", (ids, index, tokens) =>
                    index % tokens < tokens - 1 ? ids[index + 1] : ids[index + 1 - tokens]),
                Shifted("the last token again at the end", (ids, index, tokens) =>
                    index % tokens < tokens - 1 ? ids[index + 1] : ids[index]),
            ],
        },
    ];

    private static ModelParts BeforeFinalNorm(ModelParts parts)
    {
        HostTensor<float>? before = null;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                before = call.Place == Place.FinalNorm ? call.X : before;
                return ops.RmsNorm(
                    call.Place == Place.HiddenNorm ? before ?? call.X : call.X, call.Weight, call.Epsilon);
            },
        });
    }

    // The main pass looks up the input's own array; the MTP layer looks up another.
    private static MistakeVariant Shifted(string value, Func<long[], int, int, long> token) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Embedding = (ops, ids, batch, table) =>
            {
                if (ReferenceEquals(ids, parts.Input.Ids))
                {
                    return ops.TokenEmbedding(ids, batch, table);
                }

                long[] others = new long[ids.Length];
                for (int index = 0; index < ids.Length; index++)
                {
                    others[index] = token(parts.Input.Ids, index, parts.Input.Tokens);
                }

                return ops.TokenEmbedding(others, batch, table);
            },
        }));
}
