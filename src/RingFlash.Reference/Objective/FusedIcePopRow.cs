using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The published objective for one response with nothing stored but the gradient: the expressions of
/// <see cref="IcePopMask.Vectorised"/>, <see cref="ImportanceRatio.Vectorised"/>, <see cref="ClippedSurrogate.Vectorised"/>
/// and <see cref="ClippedSurrogate.Backward"/> in registers, sixteen tokens at a time. The same bits as those one by one.
/// </summary>
internal readonly struct FusedIcePopRow
{
    private readonly Vector512<float> lowestLog;
    private readonly Vector512<float> highestLog;
    private readonly Vector512<float> lowestRatio;
    private readonly Vector512<float> highestRatio;
    private readonly Vector512<float> advantage;
    private readonly Vector512<float> coefficient;
    private readonly Vector512<float> zeroAdvantage;

    /// <summary>Prepares a response.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="band">The band.</param>
    /// <param name="bounds">The clip.</param>
    /// <param name="row">The response.</param>
    /// <param name="coefficient">The aggregation's coefficient of its tokens.</param>
    public FusedIcePopRow(
        RolloutArrays<float> batch, IcePopCorrection band, SurrogateBounds bounds, int row, float coefficient)
    {
        float value = batch.Advantages[row];
        lowestLog = Vector512.Create((float)Math.Log(band.Alpha));
        highestLog = Vector512.Create((float)Math.Log(band.Beta));

        // For one sign of the advantage one limit acts on each side, as in ClippedSurrogate.
        lowestRatio = Vector512.Create(value < 0 ? (float)bounds.Lowest : float.NegativeInfinity);
        highestRatio = Vector512.Create(value > 0 ? (float)bounds.Highest
            : value < 0 ? (float)bounds.DualClip : float.PositiveInfinity);
        advantage = Vector512.Create(value);
        this.coefficient = Vector512.Create(coefficient);
        zeroAdvantage = Vector512.Equals(advantage, Vector512<float>.Zero);
    }

    /// <summary>Whether a set of options is the one that this computes.</summary>
    /// <param name="options">The options.</param>
    /// <returns>Whether.</returns>
    public static bool Supports(PolicyObjectiveOptions options) =>
        StreamedObjective.Supports(options)
        && options.Correction is IcePopCorrection
        && options.Mismatch.IsDefault
        && options.Numerator == RatioNumerator.RolloutWeights
        && options.KullbackLeiblerCoefficient == 0;

    /// <summary>Writes sixteen gradients and returns the contributions.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="first">The flat index of the first token.</param>
    /// <param name="gradient">[at least 16], written.</param>
    /// <returns>The contributions, +0 where not kept.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Sixteen(RolloutArrays<float> batch, int first, Span<float> gradient)
    {
        Vector512<float> old = Vector512.Create(batch.Old, first);
        Vector512<float> difference = old - Vector512.Create(batch.Inference, first);
        Vector512<float> weight = Exponential.Exp(difference);
        Vector512<int> mask = IcePopMask.WidenBytes(batch.ResponseMask.AsSpan(first, 16));

        // Kept: in the mask, finite, in the band, and e^Δ did not overflow. Every comparison is false for NaN.
        Vector512<float> infinity = Vector512.Create(float.PositiveInfinity);
        Vector512<float> kept = Vector512.LessThan(Vector512.Abs(difference), infinity)
            & Vector512.GreaterThanOrEqual(difference, lowestLog)
            & Vector512.LessThanOrEqual(difference, highestLog)
            & Vector512.LessThan(weight, infinity)
            & ~Vector512.Equals(mask, Vector512<int>.Zero).AsSingle();

        Vector512<float> ratio = Exponential.Exp(Vector512.Create(batch.Current, first) - old);
        Vector512<float> below = Vector512.LessThan(ratio, lowestRatio);
        Vector512<float> above = Vector512.GreaterThan(ratio, highestRatio);
        Vector512<float> limited = Vector512.ConditionalSelect(
            below, lowestRatio, Vector512.ConditionalSelect(above, highestRatio, ratio));
        Vector512<float> computed = Vector512.AndNot(kept, zeroAdvantage & Vector512.Equals(ratio, ratio));
        Vector512<float> contribution = (limited * advantage * -weight) & computed;
        (coefficient * Vector512.AndNot(contribution, below | above)).CopyTo(gradient);
        return contribution;
    }
}
