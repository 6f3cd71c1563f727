using System;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>The reference's weights as they are, and as loading in bfloat16 makes them.</summary>
internal sealed class ModelWeightsByRounding(ComparisonReference reference, WorkerPool workers) : IDisposable
{
    private ModelWeights? plain;
    private ModelWeights? rounded;

    /// <summary>One of the two.</summary>
    /// <param name="isRounded">Which.</param>
    /// <returns>The weights.</returns>
    public ModelWeights Get(bool isRounded) => isRounded ? rounded ??= Create(true) : plain ??= Create(false);

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = workers;
    }

    private ModelWeights Create(bool isRounded) => new(reference.Weights, reference.Configuration, isRounded);
}
