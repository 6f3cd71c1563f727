using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in how weights are cut, named, turned and placed.</summary>
internal static class LayoutMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "layout.qkv-megatron",
            "the fused projection split by key/value groups (Megatron's order)",
            ModelBlocks.Attention,
            "[q heads of group g | k_g | v_g] for each g",
            "[all q | all k | all v]",
            "Megatron checkpoints read without regrouping (Ling-V2 tools/convert_dcp_to_safetensors.py)")
        {
            Variants =
            [
                Split("queries, key and value of each group", (q, kv) => Grouped(q, kv, perGroup: true)),
                Split("all queries, then key and value of each head", (q, kv) => Grouped(q, kv, perGroup: false)),
                Split("written for Megatron, read as published", (q, kv) => Inverse(Grouped(q, kv, perGroup: true))),
            ],
        },
        new(
            "layout.qkv-order",
            "query, key and value parts taken in another order",
            ModelBlocks.Attention,
            "[q | v | k], [k | v | q], …",
            "[q | k | v]",
            "splits at the wrong boundary")
        {
            Variants =
            [
                Split("[q | v | k]", (q, kv) => Parts(q, kv, "qvk")),
                Split("[k | q | v]", (q, kv) => Parts(q, kv, "kqv")),
                Split("[k | v | q]", (q, kv) => Parts(q, kv, "kvq")),
                Split("[v | q | k]", (q, kv) => Parts(q, kv, "vqk")),
                Split("[v | k | q]", (q, kv) => Parts(q, kv, "vkq")),
                Split("one head too far", (q, kv) => [.. Enumerable.Range(0, q + (2 * kv))
                    .Select(head => (head + 1) % (q + (2 * kv)))]),
                Split("one head too early", (q, kv) => [.. Enumerable.Range(0, q + (2 * kv))
                    .Select(head => (head + q + (2 * kv) - 1) % (q + (2 * kv)))]),
                Split("keys taken as values too", (q, kv) => [.. Enumerable.Range(0, q + (2 * kv))
                    .Select(head => head < q + kv ? head : head - kv)]),
                Split("values taken as keys too", (q, kv) => [.. Enumerable.Range(0, q + (2 * kv))
                    .Select(head => head < q || head >= q + kv ? head : head + kv)]),
                Split("queries strided over their groups", (q, kv) => [.. Enumerable.Range(0, q + (2 * kv))
                    .Select(head => head >= q ? head : (head % kv * (q / kv)) + (head / kv))]),
            ],
        },
        new(
            "layout.qkv-channels",
            "the fused projection viewed as [headDim, heads]",
            ModelBlocks.Attention,
            "channel-major heads",
            "[heads, headDim]",
            string.Empty)
        {
            Variants =
            [
                new("the whole projection", parts => parts.Hook((o, w) => new HookedOperators(o, w)
                {
                    BeforeSplit = (fused, heads, keyValueHeads, headDim) =>
                    {
                        int all = heads + (2 * keyValueHeads);
                        return fused.Permute([.. Enumerable.Range(0, fused.Width)
                            .Select(place => (place % headDim * all) + (place / headDim))]);
                    },
                })),
                new("halves of each query and key head interleaved (GGUF's permutation)", parts => parts.Hook(
                    (o, w) => new HookedOperators(o, w)
                    {
                        BeforeSplit = (fused, heads, keyValueHeads, headDim) => fused.Permute(
                            [.. Enumerable.Range(0, fused.Width).Select(place =>
                                place / headDim >= heads + keyValueHeads ? place
                                    : (place / headDim * headDim) + (place % headDim / 2)
                                        + (place % 2 * (headDim / 2)))]),
                    })),
            ],
        },
        new(
            "layout.transposed",
            "a square weight transposed",
            ModelBlocks.Layer | ModelBlocks.MultiToken,
            "x · W",
            "x · Wᵀ",
            "column-major checkpoints; only square matrices load without an error")
        {
            IsCostly = true,
            Variants =
            [
                Weight("attention.dense", ".attention.dense.", Transposed),
                Weight("shared expert and dense MLP", ".mlp.", Transposed),
                Routed("routed experts", expert => new ExpertWeights(
                    Transposed(expert.Gate), Transposed(expert.Up), Transposed(expert.Down))),
                Weight("mlp.gate", ".mlp.gate.", Transposed),
            ],
        },
        new(
            "layout.dense-as-sparse",
            "a leading dense layer treated as a sparse one",
            ModelBlocks.FeedForward,
            "experts in layer 0",
            "a dense MLP in the first first_k_dense_replace layers",
            "first_k_dense_replace ignored")
        {
            Variants =
            [
                new("with weights of its own, where the source makes them", parts => WithDenseLayers(parts, 0)),
                new("with the first sparse layer's experts", parts => WithLayerMap(
                    parts with { Configuration = parts.Configuration with { FirstDenseLayerCount = 0 } },
                    (layer, name) => layer < parts.Configuration.FirstDenseLayerCount && IsMlp(name)
                        ? parts.Configuration.FirstDenseLayerCount
                        : layer)),
            ],
        },
        new(
            "layout.sparse-as-dense",
            "a sparse layer treated as a dense one",
            ModelBlocks.FeedForward,
            "a dense MLP in layer first_k_dense_replace",
            "experts",
            "first_k_dense_replace one too high; SGLang's draft block")
        {
            Variants =
            [
                new("with weights of its own, where the source makes them", parts =>
                    WithDenseLayers(parts, parts.Configuration.FirstDenseLayerCount + 1)),
                new("with the dense layer's weights", parts => WithLayerMap(
                    parts with
                    {
                        Configuration = parts.Configuration with
                        {
                            FirstDenseLayerCount = parts.Configuration.FirstDenseLayerCount + 1,
                        },
                    },
                    (layer, name) => layer == parts.Configuration.FirstDenseLayerCount && IsMlp(name)
                        ? 0
                        : layer)),
                new("the shared expert alone", SharedAlone),
            ],
        },
        new(
            "layout.layer-shift",
            "another layer's weights",
            ModelBlocks.Layer,
            "layer l with the weights of l ± 1",
            "layer l with its own",
            "pipeline-parallel offsets")
        {
            IsCostly = true,
            Variants =
            [
                LayerMap("all of the next layer", (layer, _) => layer + 1),
                LayerMap("all of the layer before", (layer, _) => layer - 1),
                LayerMap("attention of the next layer", (layer, name) => IsAttention(name) ? layer + 1 : layer),
                LayerMap("attention of the layer before", (layer, name) => IsAttention(name) ? layer - 1 : layer),
                LayerMap("MLP of the next layer", (layer, name) => IsAttention(name) ? layer : layer + 1),
                LayerMap("MLP of the layer before", (layer, name) => IsAttention(name) ? layer : layer - 1),
                LayerMap("expert bias of the next layer", (layer, name) => IsBias(name) ? layer + 1 : layer),
                LayerMap("expert bias of the layer before", (layer, name) => IsBias(name) ? layer - 1 : layer),
            ],
        },
        new(
            "layout.ids",
            "other token ids looked up",
            ModelBlocks.Embedding,
            "E[id ± 1], or ids of other positions",
            "E[id]",
            "a start token put in front; offsets of vocabulary-parallel tables")
        {
            Variants =
            [
                Looked("the next id", (ids, _, rows) => [.. ids.Select(id => (id + 1) % rows)]),
                Looked("the id before", (ids, _, rows) => [.. ids.Select(id => (id + rows - 1) % rows)]),
                Looked("the next position's", (ids, tokens, _) => [.. ids.Select(
                    (_, index) => ids[((index + 1) % tokens) + (index / tokens * tokens)])]),
                Looked("the position's before", (ids, tokens, _) => [.. ids.Select(
                    (_, index) => ids[((index + tokens - 1) % tokens) + (index / tokens * tokens)])]),
                Looked("in reverse order", (ids, tokens, _) => [.. ids.Select(
                    (_, index) => ids[(tokens - 1 - (index % tokens)) + (index / tokens * tokens)])]),
            ],
        },
        new(
            "layout.embedding",
            "embeddings changed after the look-up",
            ModelBlocks.Embedding,
            "E[id] · √hidden, and others",
            "E[id]",
            "Gemma scales; padding rows must be used as they are")
        {
            Variants =
            [
                Embedded("times √hidden", (o, x, _) => x.Scale(o, (float)Math.Sqrt(x.Width))),
                Embedded("divided by √hidden", (o, x, _) => x.Scale(o, 1 / (float)Math.Sqrt(x.Width))),
                Embedded("the padding token's row zeroed", null),
                Embedded("normalised", (o, x, _) => o.RmsNorm(x, [.. Enumerable.Repeat(1f, x.Width)], 1e-6f)),
                new("from the head's table", parts => parts.Hook((o, w) => new HookedOperators(o, w)
                {
                    Embedding = (ops, ids, batch, _) => ops.TokenEmbedding(ids, batch, w.LanguageModelHead),
                })),
                Embedded("with sinusoidal positions added", (o, x, tokens) =>
                {
                    Func<float, float> round = o.Rounding();
                    return x.Map((value, index) =>
                    {
                        int d = index % x.Width, position = index / x.Width % tokens;
                        double angle = position / Math.Pow(10000, 2.0 * (d / 2) / x.Width);
                        return round(value + (float)(d % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle)));
                    });
                }),
            ],
        },
    ];

    private static bool IsAttention(string name) =>
        name.StartsWith("attention.", StringComparison.Ordinal)
        || name.StartsWith("input_layernorm", StringComparison.Ordinal);

    private static bool IsMlp(string name) => name.StartsWith("mlp.", StringComparison.Ordinal);

    private static bool IsBias(string name) => name.EndsWith("expert_bias", StringComparison.Ordinal);

    // For every head of [q | k | v], the head of the fused projection that it takes.
    private static MistakeVariant Split(string value, Func<int, int, int[]> source) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            BeforeSplit = (fused, heads, keyValueHeads, headDim) =>
            {
                int[] order = source(heads, keyValueHeads);
                return fused.Permute([.. Enumerable.Range(0, fused.Width)
                    .Select(place => (order[place / headDim] * headDim) + (place % headDim))]);
            },
        }));

    private static int[] Grouped(int heads, int keyValueHeads, bool perGroup)
    {
        int group = perGroup ? heads / keyValueHeads : 0, first = perGroup ? 0 : heads;
        return
        [
            .. Enumerable.Range(0, heads).Select(
                head => perGroup ? (head / group * (group + 2)) + (head % group) : head),
            .. Enumerable.Range(0, keyValueHeads).Select(head => first + (head * (group + 2)) + group),
            .. Enumerable.Range(0, keyValueHeads).Select(head => first + (head * (group + 2)) + group + 1),
        ];
    }

    private static int[] Inverse(int[] order)
    {
        int[] inverse = new int[order.Length];
        for (int index = 0; index < order.Length; index++)
        {
            inverse[order[index]] = index;
        }

        return inverse;
    }

    // The projection is read as these parts in this order, and each head of [q | k | v] looks for its part there.
    private static int[] Parts(int heads, int keyValueHeads, string order)
    {
        int Size(char part) => part == 'q' ? heads : keyValueHeads;
        int Start(char part) => order.TakeWhile(other => other != part).Sum(Size);
        return [.. "qkv".SelectMany(part => Enumerable.Range(Start(part), Size(part)))];
    }

    private static WeightMatrix Transposed(WeightMatrix matrix)
    {
        if (matrix.Inputs != matrix.Outputs)
        {
            return matrix;
        }

        float[] values = matrix.ReadAll();
        return matrix.Map((row, column, _) => values[(column * matrix.Inputs) + row]);
    }

    private static MistakeVariant Weight(string value, string name, Func<WeightMatrix, WeightMatrix> change) =>
        new(value, parts => PrecisionMistakes.OfWeights(parts, name, change));

    private static MistakeVariant Routed(string value, Func<ExpertWeights, ExpertWeights> change) =>
        new(value, parts => PrecisionMistakes.OfExperts(parts, change));

    private static MistakeVariant LayerMap(string value, Func<int, string, int> map) =>
        new(value, parts => WithLayerMap(parts, map));

    private static ModelParts WithLayerMap(ModelParts parts, Func<int, string, int> map)
    {
        RenamedSource source = new(parts.Source, parts.Configuration, map);
        return parts with
        {
            Source = source, Weights = new ModelWeights(source, parts.Configuration, parts.RoundWeights),
        };
    }

    // A generator makes weights of any name; a checkpoint has no others than its own.
    private static ModelParts WithDenseLayers(ModelParts parts, int count)
    {
        ModelConfiguration configuration = parts.Configuration with { FirstDenseLayerCount = count };
        if (count > configuration.LayerCount || parts.Source is not SyntheticSource synthetic)
        {
            return parts;
        }

        SyntheticSource source = new(synthetic.Description, synthetic.Seed, TensorCatalog.For(configuration));
        return parts with
        {
            Configuration = configuration,
            Source = source,
            Weights = new ModelWeights(source, configuration, parts.RoundWeights),
        };
    }

    private static ModelParts SharedAlone(ModelParts parts) => parts.Hook((o, w) => new HookedOperators(o, w)
    {
        Combine = (ops, outputs, decision) => ops.ExpertCombine(outputs.Zeros(), decision),
        Add = (ops, residual, update, place) => ops.ResidualAdd(residual, update),
    });

    private static MistakeVariant Looked(string value, Func<long[], int, int, long[]> change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Embedding = (ops, ids, batch, table) =>
                ops.TokenEmbedding(change(ids, ids.Length / batch, table.Outputs), batch, table),
        }));

    private static MistakeVariant Embedded(
        string value, Func<ForwardOperators<float>, HostTensor<float>, int, HostTensor<float>>? change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Embedding = (ops, ids, batch, table) =>
            {
                HostTensor<float> x = ops.TokenEmbedding(ids, batch, table);
                return change is not null ? change(ops, x, ids.Length / batch) : x.Map((entry, index) =>
                    ids[index / x.Width] == parts.Configuration.PadTokenId ? 0 : entry);
            },
        }));
}
