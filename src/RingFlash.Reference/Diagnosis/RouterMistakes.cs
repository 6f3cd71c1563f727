using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in choosing and weighing experts.</summary>
internal static class RouterMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        Rule(
            "router.bias-in-weights",
            "the expert bias used in the weights, not only in the choice",
            "w = (s + bias)[chosen]",
            "w = s[chosen]",
            "gathering the weights from the biased scores",
            (string.Empty, rules => rules with { BiasInWeights = true })),
        Rule(
            "router.bias-missing",
            "the expert bias left out of the choice",
            "chosen by s",
            "chosen by s + bias",
            "expert_bias not loaded, or moe_router_enable_expert_bias read as false",
            (string.Empty, rules => rules with { BiasInChoice = false }),
            ("of groups only", rules => rules with { BiasInGroups = false })),
        Rule(
            "router.bias-sign",
            "the expert bias subtracted",
            "chosen by s − bias",
            "chosen by s + bias",
            string.Empty,
            (string.Empty, rules => rules with { BiasFactor = -1 })),
        Rule(
            "router.bias-on-logits",
            "the expert bias added to the logits",
            "chosen by sigmoid(logits + bias)",
            "chosen by sigmoid(logits) + bias",
            string.Empty,
            (string.Empty, rules => rules with { BiasOnLogits = true })),
        Rule(
            "router.factor",
            "routed_scaling_factor not applied once",
            "w · factor⁰ or w · factor²",
            "w · factor (2.5; the class default of 1.0 is wrong)",
            "the class default of 1.0; SGLang's first patch applied it twice",
            ("left out", rules => rules with { FactorPower = 0 }),
            ("applied twice", rules => rules with { FactorPower = 2 })),
        Shape(
            "router.factor-value",
            "another routed_scaling_factor",
            "w · factor'",
            "w · routed_scaling_factor of the configuration",
            "values of other members of the family",
            [.. new[] { 2.5f, 16f, 2f, 1.5f, 2.446f, 2.827f, 0.4f }.Select(factor => (
                FormattableString.Invariant($"factor = {factor}"),
                (Func<Operators.RouterShape, Operators.RouterShape>)
                    (shape => shape with { ScalingFactor = factor })))]),
        Rule(
            "router.sum-floor",
            "another guard in the division by the sum",
            "w / Σw, w / max(Σw, 6.1035e-5), …",
            "w / (Σw + 1e-20)",
            "llama.cpp, SGLang; shows only where all scores are tiny",
            ("no guard", rules => rules with { SumFloor = 0 }),
            ("max(Σ, 6.1035e-5)", rules => rules with { SumFloor = 0, SmallestSum = 6.1035e-5f }),
            ("+ 1e-6", rules => rules with { SumFloor = 1e-6f }),
            ("+ 1e-9", rules => rules with { SumFloor = 1e-9f }),
            ("+ 1e-12", rules => rules with { SumFloor = 1e-12f })),
        Rule(
            "router.not-normalised",
            "weights not divided by their sum",
            "w = factor · s[chosen]",
            "w = factor · s[chosen] / (Σ s[chosen] + 1e-20)",
            "norm_topk_prob read as false",
            ("factor kept", rules => rules with { Normalise = false }),
            ("factor left out too", rules => rules with { Normalise = false, FactorPower = 0 }),
            ("divided by the sum over all experts", rules => rules with { NormaliseOverAll = true })),
        Rule(
            "router.softmax",
            "softmax scores instead of sigmoid",
            "s = softmax(logits), then as published",
            "s = sigmoid(logits)",
            "score_function ignored",
            (string.Empty, rules => rules with { Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax }),
            ("weights not divided by their sum", rules => rules with
            {
                Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, Normalise = false,
            }),
            ("weights not divided by their sum, factor left out", rules => rules with
            {
                Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, Normalise = false, FactorPower = 0,
            }),
            ("in the weights only", rules => rules with { Weight = ScoreKind.Softmax }),
            ("in the choice only", rules => rules with { Choice = ScoreKind.Softmax })),
        Rule(
            "router.topk-before-softmax",
            "softmax over the chosen experts only",
            "w = factor · softmax(logits[chosen])",
            "w = factor · s[chosen] / Σ s[chosen], s = sigmoid(logits)",
            "Megatron-LM#955: top-k before and after softmax differ",
            ("chosen as published", rules => rules with { Weight = ScoreKind.SoftmaxOfChosen }),
            ("chosen as published, over scores", rules => rules with { Weight = ScoreKind.SoftmaxOfChosenScores }),
            ("chosen by logits + bias", rules => rules with
            {
                Choice = ScoreKind.Logit, Weight = ScoreKind.SoftmaxOfChosen,
            }),
            ("chosen by logits", rules => rules with
            {
                Choice = ScoreKind.Logit, Weight = ScoreKind.SoftmaxOfChosen, BiasInChoice = false,
            }),
            ("chosen by logits + bias, factor left out", rules => rules with
            {
                Choice = ScoreKind.Logit, Weight = ScoreKind.SoftmaxOfChosen, FactorPower = 0,
            }),
            ("chosen as published, factor left out", rules => rules with
            {
                Weight = ScoreKind.SoftmaxOfChosen, FactorPower = 0,
            }),
            ("chosen by logits, factor left out", rules => rules with
            {
                Choice = ScoreKind.Logit, Weight = ScoreKind.SoftmaxOfChosen, BiasInChoice = false, FactorPower = 0,
            })),
        Rule(
            "router.logits-choose",
            "experts chosen by logits, not by scores",
            "chosen by logits + bias",
            "chosen by sigmoid(logits) + bias",
            string.Empty,
            ("logits + bias", rules => rules with { Choice = ScoreKind.Logit }),
            ("logits", rules => rules with { Choice = ScoreKind.Logit, BiasInChoice = false }),
            ("logits + bias in the weights too", rules => rules with
            {
                Choice = ScoreKind.Logit, Weight = ScoreKind.Logit,
            })),
        new(
            "router.ungrouped-method",
            "a routing method meant for models without groups",
            ModelBlocks.FeedForward | ModelBlocks.MultiToken,
            "top-k over all experts, no bias: softmax first, or after, or sigmoid",
            "groups, bias, sigmoid",
            "vllm#34673, sglang#27916: the method was picked by the wrong key")
        {
            Variants =
            [
                Ungrouped("softmax, top-k, divided by the sum", rules => rules with
                {
                    Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, BiasInChoice = false,
                }),
                Ungrouped("softmax, top-k, divided by the sum, no factor", rules => rules with
                {
                    Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, BiasInChoice = false, FactorPower = 0,
                }),
                Ungrouped("softmax, top-k", rules => rules with
                {
                    Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, BiasInChoice = false, Normalise = false,
                }),
                Ungrouped("softmax, top-k, no factor", rules => rules with
                {
                    Choice = ScoreKind.Softmax,
                    Weight = ScoreKind.Softmax,
                    BiasInChoice = false,
                    Normalise = false,
                    FactorPower = 0,
                }),
                Ungrouped("softmax + bias, top-k, divided by the sum", rules => rules with
                {
                    Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax,
                }),
                Ungrouped("softmax + bias, top-k, divided by the sum, no factor", rules => rules with
                {
                    Choice = ScoreKind.Softmax, Weight = ScoreKind.Softmax, FactorPower = 0,
                }),
                Ungrouped("sigmoid, top-k, divided by the sum", rules => rules with { BiasInChoice = false }),
                Ungrouped(
                    "sigmoid, top-k, divided by the sum, no factor",
                    rules => rules with { BiasInChoice = false, FactorPower = 0 }),
                Ungrouped("sigmoid, top-k", rules => rules with { BiasInChoice = false, Normalise = false }),
                Ungrouped(
                    "sigmoid, top-k, no factor",
                    rules => rules with { BiasInChoice = false, Normalise = false, FactorPower = 0 }),
                Ungrouped("sigmoid + bias, top-k, no factor", rules => rules with { FactorPower = 0 }),
                Ungrouped("softmax over the chosen + bias, no factor", rules => rules with
                {
                    Choice = ScoreKind.Logit, Weight = ScoreKind.SoftmaxOfChosen, FactorPower = 0,
                }),
            ],
        },
        new(
            "router.groups-missing",
            "expert groups left out",
            ModelBlocks.FeedForward | ModelBlocks.MultiToken,
            "top-k of all experts",
            "top-k of the experts of the topk_group best groups",
            "ik_llama.cpp#833")
        {
            Variants = [Ungrouped(string.Empty, rules => rules)],
        },
        Rule(
            "router.mask-zero",
            "experts of other groups get 0 instead of −∞",
            "masked_fill(…, 0)",
            "masked_fill(…, −∞)",
            "mlxcel#659; older DeepSeek code; seen only where biased scores of good groups are negative",
            ("0", rules => rules with { MaskFill = 0 }),
            ("−1", rules => rules with { MaskFill = -1 })),
        Rule(
            "router.group-score",
            "groups scored otherwise",
            "a group's best, or its mean",
            "the sum of a group's two best",
            "DeepSeek-V2 takes the best one",
            ("the best", rules => rules with { GroupScore = GroupScoreKind.Best }),
            ("the mean", rules => rules with { GroupScore = GroupScoreKind.Mean })),
        Rule(
            "router.groups-strided",
            "groups made of every n-th expert",
            "expert e in group e mod n_group",
            "expert e in group ⌊e / (experts / n_group)⌋",
            "reshape (experts/groups, groups)",
            (string.Empty, rules => rules with { GroupsAreConsecutive = false })),
        Shape(
            "router.group-count",
            "another n_group or topk_group",
            "other sizes",
            "n_group and topk_group of the configuration (8 and 4)",
            "early revisions of llama.cpp#16063",
            [
                ("one group more kept", shape => shape with { ChosenGroups = shape.ChosenGroups + 1 }),
                ("one group less kept", shape => shape with { ChosenGroups = shape.ChosenGroups - 1 }),
                ("half as many kept", shape => shape with { ChosenGroups = shape.ChosenGroups / 2 }),
                ("one kept", shape => shape with { ChosenGroups = 1 }),
                ("half as many groups", shape => shape with { Groups = shape.Groups / 2 }),
                ("half as many groups, half as many kept", shape => shape with
                {
                    Groups = shape.Groups / 2, ChosenGroups = shape.ChosenGroups / 2,
                }),
                ("twice as many groups", shape => shape with { Groups = shape.Groups * 2 }),
                ("twice as many groups, twice as many kept", shape => shape with
                {
                    Groups = shape.Groups * 2, ChosenGroups = shape.ChosenGroups * 2,
                }),
                ("n_group and topk_group swapped", shape => shape with
                {
                    Groups = shape.ChosenGroups, ChosenGroups = Math.Min(shape.Groups, shape.ChosenGroups),
                }),
            ]),
        Shape(
            "router.top-k",
            "another number of experts per token",
            "k' experts",
            "num_experts_per_tok experts (8)",
            string.Empty,
            [.. new[] { -1, 1, -2, 2, -4, 4, 6, 7, -7, -6, -5, -3 }.Select(more => (
                FormattableString.Invariant($"k {more:+ 0;− 0}"),
                (Func<Operators.RouterShape, Operators.RouterShape>)
                    (shape => shape with { TopK = shape.TopK + more })))]),
        new(
            "router.bfloat16",
            "the router in bfloat16",
            ModelBlocks.FeedForward | ModelBlocks.MultiToken,
            "logits = bf16(bf16(x) · bf16(W))",
            "logits = float32(x) · float32(W), float32 to the end",
            "vllm#14027; SGLang and vLLM round the logits")
        {
            Variants =
            [
                Logits("logits rounded", (o, x, gate) => o.RouterLogits(x, gate).ToBFloat16()),
                Logits("operands rounded", (o, x, gate) => o.RouterLogits(
                    x.ToBFloat16(), gate.Map((_, _, value) => BFloat16.Round(value)))),
                Logits("operands and logits rounded", RoundedLogits),
                new("operands, logits, scores and weights rounded", parts => RouterRules.Change(
                    Logits(string.Empty, RoundedLogits).Apply(parts), rules => rules with { BFloat16 = true })),
                new("logits, scores and weights rounded", parts => RouterRules.Change(
                    Logits(string.Empty, (o, x, gate) => o.RouterLogits(x, gate).ToBFloat16()).Apply(parts),
                    rules => rules with { BFloat16 = true })),
                new("scores and weights rounded", parts => RouterRules.Change(
                    parts, rules => rules with { BFloat16 = true })),
                new("finished weights rounded", parts => RouterRules.Change(
                    parts, rules => rules with { BFloat16Weights = true })),
                Bias("bias rounded", bias => BFloat16.Round(bias)),
            ],
        },
        Rule(
            "router.ties",
            "of equal scores the higher index wins",
            "sort descending by (value, index)",
            "the lower index wins here; torch.topk leaves it open",
            "ik_llama.cpp; seen only at exact ties",
            (string.Empty, rules => rules with { HigherIndexWins = true })),
        new(
            "router.input",
            "the router fed what is not the normed hidden state",
            ModelBlocks.FeedForward | ModelBlocks.MultiToken,
            "logits of h' or of another norm",
            "logits of RMSNorm_post(h')",
            string.Empty)
        {
            Variants = [new("the hidden state before the norm", RouterBeforeNorm)],
        },
    ];

    private static Mistake Rule(
        string id,
        string sentence,
        string wrong,
        string right,
        string seenIn,
        params (string Value, Func<RouterRules, RouterRules> Change)[] variants) =>
        new(id, sentence, ModelBlocks.FeedForward | ModelBlocks.MultiToken, wrong, right, seenIn)
        {
            Variants = [.. variants.Select(variant => new MistakeVariant(
                variant.Value, parts => RouterRules.Change(parts, variant.Change)))],
        };

    private static Mistake Shape(
        string id,
        string sentence,
        string wrong,
        string right,
        string seenIn,
        (string Value, Func<Operators.RouterShape, Operators.RouterShape> Change)[] variants) =>
        new(id, sentence, ModelBlocks.FeedForward | ModelBlocks.MultiToken, wrong, right, seenIn)
        {
            Variants = [.. variants.Select(variant => new MistakeVariant(
                variant.Value, parts => Reshape(parts, variant.Change)))],
        };

    private static MistakeVariant Ungrouped(string value, Func<RouterRules, RouterRules> change) =>
        new(value, parts => RouterRules.Change(
            Reshape(parts, shape => shape with { Groups = 1, ChosenGroups = 1 }), change));

    // Through the configuration: the sizes of the decision's tensors follow from it.
    private static ModelParts Reshape(ModelParts parts, Func<Operators.RouterShape, Operators.RouterShape> change)
    {
        Configuration.ModelConfiguration old = parts.Configuration;
        Operators.RouterShape shape = change(new(
            old.ExpertCount,
            old.GroupCount,
            old.ChosenGroupCount,
            old.ExpertsPerToken,
            (float)old.RoutedScalingFactor));
        bool possible = shape.Groups >= 1 && shape.ChosenGroups >= 1 && shape.ChosenGroups <= shape.Groups
            && shape.Experts % shape.Groups == 0 && shape.ExpertsPerGroup >= 2 && shape.TopK >= 1
            && shape.TopK <= shape.ChosenGroups * shape.ExpertsPerGroup;
        return !possible ? parts : parts with
        {
            Configuration = old with
            {
                GroupCount = shape.Groups,
                ChosenGroupCount = shape.ChosenGroups,
                ExpertsPerToken = shape.TopK,
                RoutedScalingFactor = shape.ScalingFactor,
            },
        };
    }

    private static MistakeVariant Logits(
        string value, Func<ForwardOperators<float>, HostTensor<float>, WeightMatrix, HostTensor<float>> logits) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w) { Logits = logits }));

    private static HostTensor<float> RoundedLogits(
        ForwardOperators<float> operators, HostTensor<float> x, WeightMatrix gate) =>
        operators.RouterLogits(x.ToBFloat16(), gate.Map((_, _, value) => BFloat16.Round(value))).ToBFloat16();

    private static MistakeVariant Bias(string value, Func<float, float> change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Choice = (ops, scores, bias, shape) =>
                ops.GroupLimitedTopK(scores, Array.ConvertAll(bias, entry => change(entry)), shape),
        }));

    private static ModelParts RouterBeforeNorm(ModelParts parts)
    {
        HostTensor<float>? before = null;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                before = call.Place == Place.PostAttentionNorm ? call.X : before;
                return ops.RmsNorm(call.X, call.Weight, call.Epsilon);
            },
            Logits = (ops, x, gate) => ops.RouterLogits(before ?? x, gate),
        });
    }
}
