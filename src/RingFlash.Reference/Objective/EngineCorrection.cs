using System;
using System.Globalization;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The constant factor that a method puts on each token against the difference of the two engines: IcePop and its
/// relatives under one interface. k = e^Δ, Δ = training − inference.
/// </summary>
public abstract record EngineCorrection
{
    /// <summary>The word for it in options, tables and reports.</summary>
    public abstract string Name { get; }

    /// <summary>The factor as a formula, for tables.</summary>
    public abstract string Formula { get; }

    /// <summary>Whether a kept token's factor is its own ratio k, possibly limited; else 1 or a number of the whole
    /// response.</summary>
    public virtual bool FollowsTokenRatio => true;

    /// <summary>Whether it needs probabilities, so that a log-probability above 0 makes no sense.</summary>
    public virtual bool NeedsProbabilities => false;

    /// <summary>Refuses impossible parameters.</summary>
    public virtual void Require()
    {
    }

    /// <summary>The factors and decisions for one response in float64.</summary>
    /// <param name="training">[response], read.</param>
    /// <param name="inference">[response], read.</param>
    /// <param name="responseMask">[response], read.</param>
    /// <param name="advantage">Â of the response; only its sign matters, and only to some.</param>
    /// <param name="weights">[response], written; +0 where not kept.</param>
    /// <param name="decisions">[response], written.</param>
    /// <param name="decision">Where bands are compared.</param>
    public void Weigh(
        ReadOnlySpan<double> training,
        ReadOnlySpan<double> inference,
        ReadOnlySpan<byte> responseMask,
        double advantage,
        Span<double> weights,
        Span<TokenDecision> decisions,
        BandDecision decision = BandDecision.LogSpace)
    {
        Require();
        CorrectionRow<double> row = new()
        {
            Training = training,
            Inference = inference,
            ResponseMask = responseMask,
            Advantage = advantage,
            LogRatios = new double[training.Length],
            Ratios = new double[training.Length],
            Weights = weights,
            Decisions = decisions,
            Decision = decision,
        };
        row.Weigh<Float64Arithmetic>(this);
    }

    /// <summary>
    /// Sets weights and decisions of the tokens that are <see cref="TokenDecision.Kept"/> so far, from their log-ratios
    /// and ratios.
    /// </summary>
    internal abstract void Decide<T, TArithmetic>(CorrectionRow<T> row)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T>;

    /// <summary>Throws when a parameter breaks its rule.</summary>
    private protected static void Require(bool good, string rule, params ReadOnlySpan<double> found)
    {
        if (!good)
        {
            string[] texts = new string[found.Length];
            for (int i = 0; i < texts.Length; i++)
            {
                texts[i] = found[i].ToString("R", CultureInfo.InvariantCulture);
            }

            throw new ArgumentException($"{rule}; found {string.Join(", ", texts)}.");
        }
    }
}

/// <summary>One response on its way through a correction.</summary>
internal ref struct CorrectionRow<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    public required ReadOnlySpan<T> Training { get; init; }

    public required ReadOnlySpan<T> Inference { get; init; }

    public required ReadOnlySpan<byte> ResponseMask { get; init; }

    public required T Advantage { get; init; }

    /// <summary>Δ, where kept.</summary>
    public required Span<T> LogRatios { get; init; }

    /// <summary>e^Δ, where kept.</summary>
    public required Span<T> Ratios { get; init; }

    public required Span<T> Weights { get; init; }

    public required Span<TokenDecision> Decisions { get; init; }

    public required BandDecision Decision { get; init; }

    /// <summary>Drops what is not finite, lets the correction decide, drops weights that overflow.</summary>
    public readonly void Weigh<TArithmetic>(EngineCorrection correction)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        if (correction is IcePopCorrection band && Decision == BandDecision.LogSpace)
        {
            TArithmetic.IcePop(Training, Inference, ResponseMask, band, Weights, Decisions);
            return;
        }

        bool ignoresInference = correction is NoCorrection;
        for (int t = 0; t < Training.Length; t++)
        {
            TokenDecision decision = ResponseMask[t] == 0 ? TokenDecision.Padding : TokenDecision.Kept;
            if (decision == TokenDecision.Kept && !ignoresInference)
            {
                decision = Measure<TArithmetic>(t);
            }

            Decisions[t] = decision;
            Weights[t] = T.Zero;
        }

        correction.Decide<T, TArithmetic>(this);
        for (int t = 0; t < Training.Length; t++)
        {
            if (Decisions[t] != TokenDecision.Kept)
            {
                Weights[t] = T.Zero;
            }
            else if (T.IsPositiveInfinity(Weights[t]))
            {
                Decisions[t] = TokenDecision.NonFinite;
                Weights[t] = T.Zero;
            }
        }
    }

    /// <summary>Whether a log-ratio and its ratio lie in a closed band.</summary>
    public readonly TokenDecision Band(T logRatio, T ratio, double lowest, double highest)
    {
        bool inRatios = Decision == BandDecision.RatioSpace;
        T value = inRatios ? ratio : logRatio;
        T low = T.CreateSaturating(inRatios ? lowest : Math.Log(lowest));
        T high = T.CreateSaturating(inRatios ? highest : Math.Log(highest));
        return value < low ? TokenDecision.MaskedLow
            : value > high ? TokenDecision.MaskedHigh
            : TokenDecision.Kept;
    }

    private readonly TokenDecision Measure<TArithmetic>(int t)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        T difference = Training[t] - Inference[t];
        bool finite = T.IsFinite(difference);
        LogRatios[t] = finite ? difference : T.Zero;
        Ratios[t] = finite ? TArithmetic.Exp(difference) : T.Zero;
        return finite ? TokenDecision.Kept : TokenDecision.NonFinite;
    }
}
