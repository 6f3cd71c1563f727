using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>The reference's weights as they are, and as loading in bfloat16 makes them.</summary>
/// <param name="reference">Whose.</param>
/// <param name="workers">The threads.</param>
internal sealed class ModelWeightsByRounding(ComparisonReference reference, WorkerPool workers)
{
    // Every run of a comparison reads them again; up to here they are kept.
    private const long MostKept = 256L << 20;

    private ModelWeights? plain;
    private ModelWeights? rounded;

    /// <summary>One of the two; the same one where rounding changes nothing.</summary>
    /// <param name="isRounded">Which.</param>
    /// <returns>The weights.</returns>
    public ModelWeights Get(bool isRounded) => isRounded && reference.Weights is not SyntheticSource
        ? rounded ??= Create(true)
        : plain ??= Create(false);

    private ModelWeights Create(bool isRounded)
    {
        ModelWeights weights = new(reference.Weights, reference.Configuration, isRounded);
        if (WeightResidency.WholeModel(weights) <= MostKept)
        {
            weights.Pack(workers);
        }

        return weights;
    }
}
