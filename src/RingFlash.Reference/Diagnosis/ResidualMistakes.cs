using System.Collections.Generic;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the residual stream.</summary>
internal static class ResidualMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "residual.normed",
            "the normed hidden state carried on as the residual",
            ModelBlocks.FeedForward | ModelBlocks.LayerOutput | ModelBlocks.MultiToken,
            "RMSNorm(h) + attention(…)",
            "h + attention(…)",
            "post-norm models")
        {
            Variants =
            [
                NormedResidual("of attention", attention: true, feedForward: false),
                NormedResidual("of the feed-forward block", attention: false, feedForward: true),
                NormedResidual("both", attention: true, feedForward: true),
            ],
        },
        new(
            "residual.missing",
            "a residual left out",
            ModelBlocks.FeedForward | ModelBlocks.LayerOutput | ModelBlocks.MultiToken,
            "attention(…) without h",
            "h + attention(…)",
            string.Empty)
        {
            Variants =
            [
                ExpertMistakes.Added(
                    "of attention",
                    Place.AttentionResidual,
                    (o, _, update) => o.ResidualAdd(update.Zeros(), update)),
                ExpertMistakes.Added(
                    "of the block",
                    Place.FeedForwardResidual,
                    (o, _, update) => o.ResidualAdd(update.Zeros(), update)),
            ],
        },
        new(
            "residual.update-missing",
            "attention or the feed-forward block left out of the residual stream",
            ModelBlocks.FeedForward | ModelBlocks.LayerOutput | ModelBlocks.MultiToken,
            "h",
            "h + attention(…), h' + m",
            "a layer skipped")
        {
            Variants =
            [
                ExpertMistakes.Added("attention", Place.AttentionResidual, (_, residual, _) => residual),
                ExpertMistakes.Added("feed-forward block", Place.FeedForwardResidual, (_, residual, _) => residual),
                ExpertMistakes.Hooked("both: the layer is skipped", (o, w) => new HookedOperators(o, w)
                {
                    Add = (ops, residual, update, place) =>
                        place == Place.SharedExpert ? ops.ResidualAdd(residual, update) : residual,
                }),
            ],
        },
        new(
            "residual.restarted",
            "the residual added to the layer's input, not to the attention's sum",
            ModelBlocks.LayerOutput | ModelBlocks.FeedForward | ModelBlocks.MultiToken,
            "h + m, or h' + a + m",
            "h' + m with h' = h + a",
            string.Empty)
        {
            Variants =
            [
                Restarted("h + m", addAttention: false, parallel: false),
                Restarted("h' + a + m", addAttention: true, parallel: false),
                Restarted("both blocks read h (parallel residual)", addAttention: true, parallel: true),
            ],
        },
    ];

    private static MistakeVariant NormedResidual(string value, bool attention, bool feedForward) =>
        new(value, parts =>
        {
            HostTensor<float>? input = null, post = null;
            return parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Norm = (ops, call) =>
                {
                    HostTensor<float> y = ops.RmsNorm(call.X, call.Weight, call.Epsilon);
                    input = call.Place == Place.InputNorm ? y : input;
                    post = call.Place == Place.PostAttentionNorm ? y : post;
                    return y;
                },
                Add = (ops, residual, update, place) => ops.ResidualAdd(
                    place == Place.AttentionResidual && attention ? input ?? residual
                    : place == Place.FeedForwardResidual && feedForward ? post ?? residual
                    : residual,
                    update),
            });
        });

    private static MistakeVariant Restarted(string value, bool addAttention, bool parallel) =>
        new(value, parts =>
        {
            HostTensor<float>? start = null, attended = null, normed = null;
            return parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Norm = (ops, call) =>
                {
                    HostTensor<float> x = call.Place == Place.PostAttentionNorm && parallel ? start ?? call.X : call.X;
                    normed = ops.RmsNorm(x, call.Weight, call.Epsilon);
                    return normed;
                },
                Add = (ops, residual, update, place) =>
                {
                    if (place == Place.AttentionResidual)
                    {
                        (start, attended) = (residual, update);
                        return ops.ResidualAdd(residual, update);
                    }

                    bool last = place == Place.FeedForwardResidual;
                    return !last || parallel ? ops.ResidualAdd(residual, update)
                        : addAttention ? ops.ResidualAdd(ops.ResidualAdd(residual, attended ?? update.Zeros()), update)
                        : ops.ResidualAdd(start ?? residual, update);
                },
            });
        });
}
