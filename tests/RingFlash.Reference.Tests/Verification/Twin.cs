// Red here means that a mistake of the catalogue is not made as its name says; no product defect.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>The operators with one mistake that back ends really made.</summary>
/// <param name="engine">Who computes.</param>
/// <param name="workers">The threads.</param>
/// <param name="name">The mistake; <c>none</c> for none.</param>
/// <param name="isOn">Whether it is made just now; null for always.</param>
internal sealed class Twin<TPrecision>(
    ExecutionEngine engine, WorkerPool workers, string name, Func<bool>? isOn = null)
    : Float32Operators<TPrecision>(engine, workers)
    where TPrecision : struct, IPrecision
{
    private bool sharedExpertIsNext;

    private string Mistake => isOn is null || isOn() ? name : "none";

    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch) => base.RotaryTables(
            table,
            Mistake == "off-by-one position" ? [.. positions.Select(position => position + 1)] : positions,
            batch);

    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        HostTensor<float> y = base.RotaryEmbedding(x, cosine, sine);
        int tokens = x.Shape[2], half = cosine.Width / 2;
        for (int row = 0; row < x.Rows && Mistake == "interleaved rotary pairs"; row++)
        {
            int tableRow = (row / (x.Shape[1] * tokens) * tokens) + (row % tokens);
            for (int i = 0; i < half; i++)
            {
                float a = x.Row(row)[2 * i], b = x.Row(row)[(2 * i) + 1];
                float cos = cosine.Row(tableRow)[i], sin = sine.Row(tableRow)[i];
                y.Row(row)[2 * i] = (a * cos) - (b * sin);
                y.Row(row)[(2 * i) + 1] = (b * cos) + (a * sin);
            }
        }

        for (int row = 0; row < x.Rows && Mistake == "rotary over the whole head"; row++)
        {
            int tableRow = (row / (x.Shape[1] * tokens) * tokens) + (row % tokens), wideHalf = x.Width / 2;
            for (int i = 0; i < wideHalf; i++)
            {
                float a = x.Row(row)[i], b = x.Row(row)[i + wideHalf];
                float cos = cosine.Row(tableRow)[i % cosine.Width], sin = sine.Row(tableRow)[i % cosine.Width];
                y.Row(row)[i] = (a * cos) - (b * sin);
                y.Row(row)[i + wideHalf] = (b * cos) + (a * sin);
            }
        }

        return y;
    }

    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon) => Mistake switch
    {
        "query and key norm skipped" when x.Shape.Length == 4 => x,
        "query and key layer norm" when x.Shape.Length == 4 => LayerNorm(x, weight, epsilon),
        "norm weight left out" => base.RmsNorm(x, [.. weight.Select(_ => 1f)], epsilon),
        "norm epsilon 1e-5" => base.RmsNorm(x, weight, 1e-5f),
        _ => base.RmsNorm(x, weight, epsilon),
    };

    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate)
    {
        HostTensor<float> logits = base.RouterLogits(x, gate);
        for (int index = 0; index < logits.Values.Length && Mistake == "router logits rounded to bfloat16"; index++)
        {
            logits.Values[index] = BFloat16.Round(logits.Values[index]);
        }

        return logits;
    }

    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        HostTensor<float> scores = base.RouterScores(routerLogits);
        for (int row = 0; row < scores.Rows && Mistake == "softmax for sigmoid"; row++)
        {
            Reference.Operators.Softmax.Scalar<Float32Precision>(routerLogits.Row(row), [], scores.Row(row));
        }

        return scores;
    }

    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        switch (Mistake)
        {
            case "missing scaling factor":
                return base.GroupLimitedTopK(scores, expertBias, shape with { ScalingFactor = 1 });
            case "groups left out":
                return base.GroupLimitedTopK(scores, expertBias, shape with { Groups = 1, ChosenGroups = 1 });
            case "expert bias in the weights":
                HostTensor<float> biased = new(scores.Rows, scores.Width);
                for (int index = 0; index < biased.Values.Length; index++)
                {
                    biased.Values[index] = scores.Values[index] + expertBias[index % scores.Width];
                }

                return base.GroupLimitedTopK(biased, new float[expertBias.Length], shape);
            case "0 for −∞":
                return ZeroFilled(scores, expertBias, shape);
            default:
                return base.GroupLimitedTopK(scores, expertBias, shape);
        }
    }

    public override (HostTensor<float> Query, HostTensor<float> Key, HostTensor<float> Value) QueryKeyValueSplit(
        HostTensor<float> queryKeyValue, int heads, int keyValueHeads, int headDim)
    {
        if (Mistake == "query, key, value split by groups")
        {
            // Megatron's order: for each key/value head its query heads, its key, its value.
            HostTensor<float> regrouped = new(queryKeyValue.Shape.ToArray());
            int group = heads / keyValueHeads;
            for (int row = 0; row < queryKeyValue.Rows; row++)
            {
                for (int head = 0; head < heads + (2 * keyValueHeads); head++)
                {
                    int source = head < heads ? (head / group * (group + 2)) + (head % group)
                        : head < heads + keyValueHeads ? ((head - heads) * (group + 2)) + group
                        : ((head - heads - keyValueHeads) * (group + 2)) + group + 1;
                    queryKeyValue.Row(row).Slice(source * headDim, headDim)
                        .CopyTo(regrouped.Row(row)[(head * headDim)..]);
                }
            }

            queryKeyValue = regrouped;
        }

        return base.QueryKeyValueSplit(queryKeyValue, heads, keyValueHeads, headDim);
    }

    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights)
    {
        if (Mistake == "key/value heads tiled")
        {
            keys = Tiled(keys, shape);
            values = Tiled(values, shape);
            shape = shape with { KeyValueHeads = shape.Heads };
        }

        if (Mistake == "softmax scale folded twice")
        {
            HostTensor<float> scaled = new(query.Shape.ToArray());
            for (int index = 0; index < scaled.Values.Length; index++)
            {
                scaled.Values[index] = query.Values[index] / MathF.Sqrt(shape.HeadDim);
            }

            query = scaled;
        }

        HostTensor<float> context = base.CausalAttention(shape, query, keys, values, visible, weights);
        if (Mistake == "one element of the context wrong")
        {
            context.Values[^(shape.HeadDim + 3)] += 0.25f;
        }

        return context;
    }

    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        return base.RoutedExperts(x, decision, Mistake switch
        {
            "gate and up swapped" => experts with { Expert = Swapped },
            "experts off by one" =>
                experts with { Expert = index => experts.Expert((index + 1) % experts.ExpertCount) },
            _ => experts,
        });

        ExpertWeights Swapped(int index)
        {
            ExpertWeights expert = experts.Expert(index);
            return expert with { Gate = expert.Up, Up = expert.Gate };
        }
    }

    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        if (Mistake == "expert weights not applied")
        {
            decision = decision with { TopKWeights = new HostTensor<float>(decision.TopKWeights.Shape.ToArray()) };
            decision.TopKWeights.Span.Fill(1);
        }

        sharedExpertIsNext = true;
        return base.ExpertCombine(expertOutputs, decision);
    }

    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        bool drop = Mistake == "shared expert dropped" && sharedExpertIsNext;
        sharedExpertIsNext = false;
        return base.ResidualAdd(residual, drop ? new HostTensor<float>(residual.Shape.ToArray()) : update);
    }

    public override HostTensor<float> Concatenate(HostTensor<float> first, HostTensor<float> second) =>
        Mistake == "MTP halves swapped" ? base.Concatenate(second, first) : base.Concatenate(first, second);

    public override HostTensor<float> CrossEntropy(HostTensor<float> logits, long[] targets) =>
        base.CrossEntropy(
            logits,
            Mistake == "MTP targets shifted once only"
                ? [Reference.Operators.CrossEntropy.IgnoreIndex, .. targets[..^1]]
                : targets);

    private RouterDecision<float> ZeroFilled(HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        RouterDecision<float> decision = base.GroupLimitedTopK(scores, expertBias, shape);
        for (int token = 0; token < scores.Rows; token++)
        {
            HashSet<int> groups = [.. decision.TopKIndices.Skip(token * shape.TopK).Take(shape.TopK)
                .Select(expert => expert / shape.ExpertsPerGroup)];
            int[] chosen = [.. Enumerable.Range(0, shape.Experts)
                .OrderByDescending(expert => groups.Contains(expert / shape.ExpertsPerGroup)
                    ? scores.Row(token)[expert] + expertBias[expert]
                    : 0f)
                .Take(shape.TopK)];
            chosen.CopyTo(decision.TopKIndices, token * shape.TopK);
            Reference.Operators.GroupLimitedTopK.Weigh(
                shape, scores.Row(token), chosen, decision.TopKWeights.Row(token));
        }

        return decision;
    }

    private HostTensor<float> LayerNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        HostTensor<float> centred = new(x.Shape.ToArray());
        for (int row = 0; row < x.Rows; row++)
        {
            float mean = x.Row(row).ToArray().Average();
            for (int index = 0; index < x.Width; index++)
            {
                centred.Row(row)[index] = x.Row(row)[index] - mean;
            }
        }

        return base.RmsNorm(centred, weight, epsilon);
    }

    private static HostTensor<float> Tiled(HostTensor<float> heads, AttentionShape shape)
    {
        int size = shape.CacheCapacity * shape.HeadDim;
        HostTensor<float> tiled = new(shape.Batch, shape.Heads, shape.CacheCapacity, shape.HeadDim);
        for (int head = 0; head < shape.Batch * shape.Heads; head++)
        {
            int source = (head / shape.Heads * shape.KeyValueHeads) + (head % shape.Heads % shape.KeyValueHeads);
            heads.Span.Slice(source * size, size).CopyTo(tiled.Span[(head * size)..]);
        }

        return tiled;
    }
}
