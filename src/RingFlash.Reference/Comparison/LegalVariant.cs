using System;
using System.Collections.Generic;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>A correct way to compute that is not the reference's own.</summary>
/// <param name="Name">What it is, in words.</param>
/// <param name="RoundsWeights">Whether wider weights are rounded to bfloat16, as loading in bfloat16 does.</param>
/// <param name="Create">Makes the operators.</param>
internal sealed record LegalVariant(
    string Name, bool RoundsWeights, Func<WorkerPool, ForwardOperators<float>> Create)
{
    /// <summary>The variants whose spread is the noise band of a precision.</summary>
    /// <param name="precision">float32, bfloat16 or fp8.</param>
    /// <returns>At least two.</returns>
    public static IReadOnlyList<LegalVariant> For(string precision) => precision switch
    {
        "float32" =>
        [
            Float32("float32, sums in one chain", SummationOrder.Chain),
            Float32("float32, pairwise sums", SummationOrder.Pairwise),
            Float32("float32, blocks reversed", SummationOrder.ReversedBlocks),
        ],
        "bfloat16" => BFloat16Variants,
        _ =>
        [
            .. BFloat16Variants,
            new(
                "bfloat16 with dynamically quantised activations",
                true,
                workers => new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers, true)),
        ],
    };

    private static LegalVariant[] BFloat16Variants =>
    [
        BFloat16("bfloat16 as published", null, LegalRounding.None),
        BFloat16(
            "bfloat16, norms rounded once, sums in one chain", SummationOrder.Chain, LegalRounding.NormRoundedOnce),
        BFloat16(
            "bfloat16, norms of unrounded sums, fused attention",
            null,
            LegalRounding.UnroundedResidual | LegalRounding.FusedAttention),
        BFloat16("bfloat16 with the rounding points of fused kernels", null, LegalRounding.Kernels),
    ];

    private static LegalVariant Float32(string name, SummationOrder order) =>
        new(name, false, workers => new LegalOperators<Float32Precision>(workers, order, LegalRounding.None));

    private static LegalVariant BFloat16(string name, SummationOrder? order, LegalRounding rounding) =>
        new(name, true, workers => new LegalOperators<BFloat16Precision>(workers, order, rounding));
}
