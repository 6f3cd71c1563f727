using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The published objective for one response with nothing stored but the gradient: the expressions of
/// <see cref="IcePopMask.Vectorised"/>, <see cref="ImportanceRatio.Vectorised"/>,
/// <see cref="ClippedSurrogate.Vectorised"/> and <see cref="ClippedSurrogate.Backward"/> in registers, sixteen tokens
/// at a time. The same bits as those one by one.
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
        && options.Decision == BandDecision.LogSpace
        && options.Numerator == RatioNumerator.RolloutWeights
        && options.KullbackLeiblerCoefficient == 0;

    /// <summary>Writes sixteen gradients and returns the contributions.</summary>
    /// <param name="current">Sixteen current log-probabilities, read.</param>
    /// <param name="old">Sixteen old ones, read.</param>
    /// <param name="inference">Sixteen of the inference engine, read.</param>
    /// <param name="responseMask">Sixteen, read.</param>
    /// <param name="gradient">Sixteen, written.</param>
    /// <returns>The contributions, +0 where not kept.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Sixteen(
        ref float current, ref float old, ref float inference, ref byte responseMask, ref float gradient)
    {
        Vector512<float> rollout = Vector512.LoadUnsafe(ref old);
        Vector512<float> difference = rollout - Vector512.LoadUnsafe(ref inference);
        Vector512<float> move = Vector512.LoadUnsafe(ref current) - rollout;
        if (!Exponential.IsInNormalRange(difference) || !Exponential.IsInNormalRange(move))
        {
            return SixteenOfAny(difference, move, ref responseMask, ref gradient);
        }

        // In this range nothing is infinite or NaN: the band and the mask decide alone.
        Vector512<float> weight = Exponential.ExpInNormalRange(difference);
        Vector512<float> ratio = Exponential.ExpInNormalRange(move);
        Vector512<float> kept = Vector512.GreaterThanOrEqual(difference, lowestLog)
            & Vector512.LessThanOrEqual(difference, highestLog)
            & ~Vector512.Equals(Widen(ref responseMask), Vector512<int>.Zero).AsSingle();
        return Surrogate(ratio, weight, Vector512.AndNot(kept, zeroAdvantage), ref gradient);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Vector512<float> SixteenOfAny(
        Vector512<float> difference, Vector512<float> move, ref byte responseMask, ref float gradient)
    {
        Vector512<float> weight = Exponential.Exp(difference), ratio = Exponential.Exp(move);

        // Kept: in the mask, finite, in the band, and e^Δ did not overflow. Every comparison is false for NaN.
        Vector512<float> infinity = Vector512.Create(float.PositiveInfinity);
        Vector512<float> kept = Vector512.LessThan(Vector512.Abs(difference), infinity)
            & Vector512.GreaterThanOrEqual(difference, lowestLog)
            & Vector512.LessThanOrEqual(difference, highestLog)
            & Vector512.LessThan(weight, infinity)
            & ~Vector512.Equals(Widen(ref responseMask), Vector512<int>.Zero).AsSingle();
        Vector512<float> computed = Vector512.AndNot(kept, zeroAdvantage & Vector512.Equals(ratio, ratio));
        return Surrogate(ratio, weight, computed, ref gradient);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> Surrogate(
        Vector512<float> ratio, Vector512<float> weight, Vector512<float> computed, ref float gradient)
    {
        Vector512<float> below = Vector512.LessThan(ratio, lowestRatio);
        Vector512<float> above = Vector512.GreaterThan(ratio, highestRatio);
        Vector512<float> limited = Vector512.ConditionalSelect(
            below, lowestRatio, Vector512.ConditionalSelect(above, highestRatio, ratio));
        Vector512<float> contribution = (limited * advantage * -weight) & computed;
        (coefficient * Vector512.AndNot(contribution, below | above)).StoreUnsafe(ref gradient);
        return contribution;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(ref byte sixteen)
    {
        Vector256<ushort> halves = Vector256.WidenLower(Vector128.LoadUnsafe(ref sixteen).ToVector256());
        return Vector512.WidenLower(halves.ToVector512()).AsInt32();
    }
}
