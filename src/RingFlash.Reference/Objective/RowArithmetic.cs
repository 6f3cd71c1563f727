using System;
using System.Numerics;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The operators in one number type on one engine. The objective is written once over this; that float64, scalar and
/// Vector512 say the same thing is then a matter of three short structs.
/// </summary>
internal interface IRowArithmetic<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    static abstract T Exp(T x);

    static abstract T Log(T x);

    static abstract T Sum(ReadOnlySpan<T> values);

    static abstract void Ratio(ReadOnlySpan<T> numerator, ReadOnlySpan<T> denominator, double clamp, Span<T> ratio);

    static abstract void IcePop(
        ReadOnlySpan<T> training,
        ReadOnlySpan<T> inference,
        ReadOnlySpan<byte> mask,
        IcePopCorrection band,
        Span<T> weights,
        Span<TokenDecision> decisions);

    static abstract void Surrogate(
        ReadOnlySpan<T> ratio,
        ReadOnlySpan<T> weights,
        ReadOnlySpan<TokenDecision> decisions,
        T advantage,
        SurrogateBounds bounds,
        Span<T> contributions,
        Span<byte> clipped);

    static abstract void Divergence(
        KullbackLeiblerKind kind, ReadOnlySpan<T> current, ReadOnlySpan<T> reference, Span<T> y, Span<T> gradient);
}

/// <summary>The oracles: normative.</summary>
internal readonly struct Float64Arithmetic : IRowArithmetic<double>
{
    public static double Exp(double x) => Math.Exp(x);

    public static double Log(double x) => Math.Log(x);

    public static double Sum(ReadOnlySpan<double> values) => CompensatedSum.Of(values);

    public static void Ratio(
        ReadOnlySpan<double> numerator, ReadOnlySpan<double> denominator, double clamp, Span<double> ratio) =>
        ImportanceRatio.Exact(numerator, denominator, clamp, ratio);

    public static void IcePop(
        ReadOnlySpan<double> training,
        ReadOnlySpan<double> inference,
        ReadOnlySpan<byte> mask,
        IcePopCorrection band,
        Span<double> weights,
        Span<TokenDecision> decisions) =>
        IcePopMask.Exact(training, inference, mask, band.Alpha, band.Beta, weights, decisions);

    public static void Surrogate(
        ReadOnlySpan<double> ratio,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<TokenDecision> decisions,
        double advantage,
        SurrogateBounds bounds,
        Span<double> contributions,
        Span<byte> clipped) =>
        ClippedSurrogate.Exact(ratio, weights, decisions, advantage, bounds, contributions, clipped);

    public static void Divergence(
        KullbackLeiblerKind kind,
        ReadOnlySpan<double> current,
        ReadOnlySpan<double> reference,
        Span<double> y,
        Span<double> gradient)
    {
        KullbackLeiblerEstimator.Exact(kind, current, reference, y);
        KullbackLeiblerEstimator.ExactBackward(kind, current, reference, gradient);
    }
}

/// <summary>Names an engine at compile time.</summary>
internal interface IEngineChoice
{
    static abstract ExecutionEngine Engine { get; }
}

/// <summary>Scalar.</summary>
internal readonly struct ScalarChoice : IEngineChoice
{
    public static ExecutionEngine Engine => ExecutionEngine.Scalar;
}

/// <summary>Vector512.</summary>
internal readonly struct Vector512Choice : IEngineChoice
{
    public static ExecutionEngine Engine => ExecutionEngine.Vector512;
}

/// <summary>float32 on one of the engines.</summary>
internal readonly struct Float32Arithmetic<TChoice> : IRowArithmetic<float>
    where TChoice : struct, IEngineChoice
{
    public static float Exp(float x) => Exponential.Exp(x);

    public static float Log(float x) => Logarithm.Log(x);

    public static float Sum(ReadOnlySpan<float> values) =>
        TChoice.Engine == ExecutionEngine.Scalar ? Summation.Sum(values) : Summation.SumVectorised(values);

    public static void Ratio(
        ReadOnlySpan<float> numerator, ReadOnlySpan<float> denominator, double clamp, Span<float> ratio) =>
        ImportanceRatio.Apply(TChoice.Engine, numerator, denominator, (float)clamp, ratio);

    public static void IcePop(
        ReadOnlySpan<float> training,
        ReadOnlySpan<float> inference,
        ReadOnlySpan<byte> mask,
        IcePopCorrection band,
        Span<float> weights,
        Span<TokenDecision> decisions) =>
        IcePopMask.Apply(TChoice.Engine, training, inference, mask, band.Alpha, band.Beta, weights, decisions);

    public static void Surrogate(
        ReadOnlySpan<float> ratio,
        ReadOnlySpan<float> weights,
        ReadOnlySpan<TokenDecision> decisions,
        float advantage,
        SurrogateBounds bounds,
        Span<float> contributions,
        Span<byte> clipped) =>
        ClippedSurrogate.Apply(
            TChoice.Engine, ratio, weights, decisions, advantage, bounds, contributions, clipped);

    public static void Divergence(
        KullbackLeiblerKind kind,
        ReadOnlySpan<float> current,
        ReadOnlySpan<float> reference,
        Span<float> y,
        Span<float> gradient)
    {
        KullbackLeiblerEstimator.Apply(TChoice.Engine, kind, current, reference, y);
        KullbackLeiblerEstimator.Backward(TChoice.Engine, kind, current, reference, gradient);
    }
}
