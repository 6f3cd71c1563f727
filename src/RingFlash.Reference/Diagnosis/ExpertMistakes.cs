using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the feed-forward blocks: dense, shared, routed.</summary>
internal static class ExpertMistakes
{
    private const ModelBlocks Acts = ModelBlocks.FeedForward | ModelBlocks.MultiToken;

    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "experts.shared-missing",
            "the shared expert dropped",
            Acts,
            "m = routed",
            "m = routed + shared",
            "loaders that skip unknown names silently")
        {
            Variants = [Shared(string.Empty, (o, shared) => shared.Zeros())],
        },
        new(
            "experts.shared-scaled",
            "the shared expert scaled",
            Acts,
            "m = routed + factor · shared",
            "m = routed + shared",
            "the factor applied to the sum of routed and shared")
        {
            Variants =
            [
                new("by routed_scaling_factor", parts => Shared(string.Empty, (o, shared) =>
                    shared.Scale(o, (float)parts.Configuration.RoutedScalingFactor)).Apply(parts)),
                new("by 1 / routed_scaling_factor", parts => Shared(string.Empty, (o, shared) =>
                    shared.Scale(o, 1 / (float)parts.Configuration.RoutedScalingFactor)).Apply(parts)),
                Shared("by 1/2", (o, shared) => shared.Scale(o, 0.5f)),
                Shared("twice", (o, shared) => shared.Scale(o, 2f)),
                new("by the number of chosen experts + 1, as a mean", parts => Shared(string.Empty, (o, shared) =>
                    shared.Scale(o, 1f / (parts.Configuration.ExpertsPerToken + 1))).Apply(parts)),
            ],
        },
        new(
            "experts.shared-input",
            "the shared expert fed the hidden state before the norm",
            Acts,
            "shared(h')",
            "shared(RMSNorm_post(h'))",
            string.Empty)
        {
            Variants = [new(string.Empty, SharedBeforeNorm)],
        },
        new(
            "experts.routed-missing",
            "the routed experts dropped",
            Acts,
            "m = shared",
            "m = routed + shared",
            string.Empty)
        {
            Variants = [Hooked(string.Empty, (o, w) => new HookedOperators(o, w)
            {
                Combine = (ops, outputs, decision) => ops.ExpertCombine(outputs.Zeros(), decision),
            })],
        },
        new(
            "experts.weights-missing",
            "expert outputs added without their weights",
            Acts,
            "Σ o_i",
            "Σ w_i · o_i",
            string.Empty)
        {
            Variants =
            [
                Combined("weight 1", (_, weights) => weights.Map((_, _) => 1f)),
                Combined("weight 1/k", (_, weights) => weights.Map((_, _) => 1f / weights.Width)),
                new("weight factor / k", parts => Combined(string.Empty, (_, weights) => weights.Map(
                    (_, _) => (float)parts.Configuration.RoutedScalingFactor / weights.Width)).Apply(parts)),
            ],
        },
        new(
            "experts.weights-order",
            "expert weights given to other experts of the token",
            Acts,
            "Σ w_σ(i) · o_i",
            "Σ w_i · o_i",
            "weights and outputs sorted differently")
        {
            Variants =
            [
                Combined("weights ascending", (_, weights) => Reordered(
                    weights, row => [.. Enumerable.Range(0, row.Length).Reverse()])),
                new("outputs in the order of experts", parts => parts.Hook((o, w) => new HookedOperators(o, w)
                {
                    Combine = (ops, outputs, decision) => ops.ExpertCombine(InExpertOrder(outputs, decision), decision),
                })),
            ],
        },
        new(
            "experts.weights-on-input",
            "expert weights applied to the experts' input",
            Acts,
            "Σ expert_i(w_i · x)",
            "Σ w_i · expert_i(x)",
            "apply_router_weight_on_input of Llama 4")
        {
            IsCostly = true,
            Variants = [new(string.Empty, WeightsOnInput)],
        },
        new(
            "experts.wrong-expert",
            "tokens sent to other experts than were chosen",
            Acts,
            "expert (e + 1) mod n",
            "expert e",
            "expert-parallel offsets")
        {
            Variants =
            [
                Experts("the next expert", (index, count) => (index + 1) % count),
                Experts("the one before", (index, count) => (index + count - 1) % count),
                Experts("counted from the end", (index, count) => count - 1 - index),
                Experts("always one of the first half", (index, count) => index % (count / 2)),
                new("strided over the groups", parts => Experts(string.Empty, (index, count) =>
                {
                    int groups = parts.Configuration.GroupCount;
                    return (index % groups * (count / groups)) + (index / groups);
                }).Apply(parts)),
            ],
        },
        new(
            "experts.gate-up-swapped",
            "gate and up projections swapped",
            Acts,
            "down(silu(up x) ⊙ gate x)",
            "down(silu(gate x) ⊙ up x)",
            "fused gate_up split in the wrong order")
        {
            IsCostly = true,
            Variants =
            [
                Swapped("everywhere", routed: true, others: true),
                Swapped("routed experts", routed: true, others: false),
                Swapped("shared expert and dense MLP", routed: false, others: true),
            ],
        },
        new(
            "experts.activation",
            "another activation",
            Acts,
            "gelu, relu, sigmoid or none",
            "silu(x) = x · sigmoid(x)",
            "hidden_act ignored")
        {
            IsCostly = true,
            Variants =
            [
                .. Activations.SelectMany(activation => new[]
                {
                    Activated(activation.Name, activation.Function, routed: true, others: true),
                    Activated(activation.Name + ", routed experts", activation.Function, routed: true, others: false),
                    Activated(
                        activation.Name + ", shared expert and dense MLP",
                        activation.Function,
                        routed: false,
                        others: true),
                }),
            ],
        },
        new(
            "experts.limited",
            "the inner activations limited",
            Acts,
            "gate and up clamped",
            "no clamping",
            "gpt-oss style clamp at 7")
        {
            IsCostly = true,
            Variants = [Activated("at 7", null, routed: true, others: true)],
        },
        new(
            "experts.stage-dtype",
            "weighted expert outputs rounded to bfloat16 before they are added",
            Acts,
            "Σ bf16(w_i · o_i)",
            "bf16(Σ w_i · o_i), the sum in float32",
            "Triton kernels")
        {
            Variants = [new(string.Empty, RoundedTerms)],
            IsPrecision = true,
        },
    ];

    private static (string Name, Func<float, float> Function)[] Activations =>
    [
        ("gelu (erf)", x => (float)(0.5 * x * (1 + Erf(x / Math.Sqrt(2))))),
        ("gelu (tanh)", x => (float)(0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))))),
        ("relu", x => Math.Max(x, 0)),
        ("none", x => x),
        ("sigmoid", x => (float)(1 / (1 + Math.Exp(-x)))),
        ("tanh", x => (float)Math.Tanh(x)),
        ("relu²", x => Math.Max(x, 0) * Math.Max(x, 0)),
        ("silu(1.702 x)", x => (float)(x / (1 + Math.Exp(-1.702 * x)))),
    ];

    /// <summary>A variant that acts through operators.</summary>
    /// <param name="value">Its name.</param>
    /// <param name="hooks">Makes the set.</param>
    /// <returns>The variant.</returns>
    public static MistakeVariant Hooked(
        string value, Func<ForwardOperators<float>, ModelWeights, HookedOperators> hooks) =>
        new(value, parts => parts.Hook(hooks));

    /// <summary>A variant of one of a layer's additions.</summary>
    /// <param name="value">Its name.</param>
    /// <param name="where">The addition.</param>
    /// <param name="add">Given the set, the residual and the update.</param>
    /// <returns>The variant.</returns>
    public static MistakeVariant Added(
        string value,
        Place where,
        Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>, HostTensor<float>> add) =>
        Hooked(value, (o, w) => new HookedOperators(o, w)
        {
            Add = (ops, residual, update, place) =>
                place == where ? add(ops, residual, update) : ops.ResidualAdd(residual, update),
        });

    private static MistakeVariant Shared(
        string value, Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>> change) =>
        Added(value, Place.SharedExpert, (o, routed, shared) => o.ResidualAdd(routed, change(o, shared)));

    private static MistakeVariant Combined(
        string value, Func<RouterDecision<float>, HostTensor<float>, HostTensor<float>> change) =>
        Hooked(value, (o, w) => new HookedOperators(o, w)
        {
            Combine = (ops, outputs, decision) => ops.ExpertCombine(
                outputs, decision with { TopKWeights = change(decision, decision.TopKWeights) }),
        });

    private static MistakeVariant Experts(string value, Func<int, int, int> change) =>
        Hooked(value, (o, w) => new HookedOperators(o, w)
        {
            Experts = (ops, x, decision, experts) => ops.RoutedExperts(
                x,
                decision,
                experts with
                {
                    Expert = index => experts.Expert(change(index, experts.ExpertCount)), Batches = null,
                }),
        });

    private static HostTensor<float> Reordered(HostTensor<float> rows, Func<float[], int[]> order)
    {
        HostTensor<float> y = rows.Zeros();
        for (int row = 0; row < rows.Rows; row++)
        {
            float[] values = rows.Row(row).ToArray();
            int[] source = order(values);
            for (int k = 0; k < values.Length; k++)
            {
                y.Row(row)[k] = values[source[k]];
            }
        }

        return y;
    }

    private static HostTensor<float> InExpertOrder(HostTensor<float> outputs, RouterDecision<float> decision)
    {
        HostTensor<float> y = outputs.Zeros();
        for (int token = 0; token < decision.TopKWeights.Rows; token++)
        {
            int[] slots = [.. Enumerable.Range(token * decision.TopK, decision.TopK)
                .OrderBy(slot => decision.TopKIndices[slot])];
            for (int k = 0; k < slots.Length; k++)
            {
                outputs.Row(slots[k]).CopyTo(y.Row((token * decision.TopK) + k));
            }
        }

        return y;
    }

    private static ModelParts SharedBeforeNorm(ModelParts parts)
    {
        HostTensor<float>? before = null;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Norm = (ops, call) =>
            {
                before = call.Place == Place.PostAttentionNorm ? call.X : before;
                return ops.RmsNorm(call.X, call.Weight, call.Epsilon);
            },
            Product = (ops, x, weight, bias) => ops.LinearProjection(
                before is not null && weight.Name.Contains(".shared_experts.", StringComparison.Ordinal)
                    && weight.Inputs == before.Width && !weight.Name.Contains("down_proj", StringComparison.Ordinal)
                        ? before
                        : x,
                weight,
                bias),
        });
    }

    private static ModelParts WeightsOnInput(ModelParts parts) => parts.Hook((o, w) => new HookedOperators(o, w)
    {
        Experts = (ops, x, decision, experts) =>
        {
            Func<float, float> round = ops.Rounding();
            return Tensors.ForEachExpert(x, decision, (rows, weights, index) => Block(
                ops,
                rows.Map((value, place) => round(value * weights[place / rows.Width])),
                experts.Expert(index),
                ops.SwiGlu));
        },
        Combine = (ops, outputs, decision) => ops.ExpertCombine(
            outputs, decision with { TopKWeights = decision.TopKWeights.Map((_, _) => 1f) }),
    });

    private static MistakeVariant Swapped(string value, bool routed, bool others) =>
        Hooked(value, (o, w) => new HookedOperators(o, w)
        {
            Experts = (ops, x, decision, experts) => ops.RoutedExperts(
                x,
                decision,
                routed ? experts.Each(expert => expert with { Gate = expert.Up, Up = expert.Gate }) : experts),
            Gated = (ops, gate, up) => others ? ops.SwiGlu(up, gate) : ops.SwiGlu(gate, up),
        });

    private static MistakeVariant Activated(string value, Func<float, float>? function, bool routed, bool others) =>
        Hooked(value, (o, w) =>
        {
            Func<float, float> round = o.Rounding();
            HostTensor<float> Activate(HostTensor<float> gate, HostTensor<float> up) => function is null
                ? o.SwiGlu(gate.Map((x, _) => Math.Min(x, 7)), up.Map((x, _) => Math.Clamp(x, -7, 7)))
                : gate.Map((x, index) => round(round(function(x)) * up.Values[index]));
            return new HookedOperators(o, w)
            {
                Experts = (ops, x, decision, experts) => routed
                    ? Tensors.ForEachExpert(
                        x, decision, (rows, _, index) => Block(ops, rows, experts.Expert(index), Activate))
                    : ops.RoutedExperts(x, decision, experts),
                Gated = (ops, gate, up) => others ? Activate(gate, up) : ops.SwiGlu(gate, up),
            };
        });

    private static HostTensor<float> Block(
        ForwardOperators<float> operators,
        HostTensor<float> x,
        ExpertWeights expert,
        Func<HostTensor<float>, HostTensor<float>, HostTensor<float>> activate) => operators.LinearProjection(
            activate(
                operators.LinearProjection(x, expert.Gate, []), operators.LinearProjection(x, expert.Up, [])),
            expert.Down,
            []);

    private static ModelParts RoundedTerms(ModelParts parts) => parts.Hook((o, w) => new HookedOperators(o, w)
    {
        Combine = (ops, outputs, decision) =>
        {
            HostTensor<float> terms = outputs.Map((value, index) =>
                BFloat16.Round(value * decision.TopKWeights.Values[index / outputs.Width]));
            return ops.ExpertCombine(
                terms, decision with { TopKWeights = decision.TopKWeights.Map((_, _) => 1f) });
        },
    });

    // Abramowitz and Stegun 7.1.26 is too coarse; the series and the continued fraction are good to float32.
    private static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a > 3)
        {
            double fraction = 0;
            for (int n = 60; n >= 1; n--)
            {
                fraction = n / 2.0 / (a + fraction);
            }

            return Math.Sign(x) * (1 - (Math.Exp(-a * a) / (Math.Sqrt(Math.PI) * (a + fraction))));
        }

        double term = a, sum = a;
        for (int n = 1; n < 80; n++)
        {
            term *= -a * a / n;
            sum += term / ((2 * n) + 1);
        }

        return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
    }
}
