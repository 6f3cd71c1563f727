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
    /// <param name="treatment">How Δ is treated; null for the defaults.</param>
    public void Weigh(
        ReadOnlySpan<double> training,
        ReadOnlySpan<double> inference,
        ReadOnlySpan<byte> responseMask,
        double advantage,
        Span<double> weights,
        Span<TokenDecision> decisions,
        MismatchTreatment? treatment = null)
    {
        Require();
        MismatchTreatment chosen = treatment ?? MismatchTreatment.Default;
        chosen.Require();
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
            Treatment = chosen,
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

    /// <summary>Δ after its treatment, where kept.</summary>
    public required Span<T> LogRatios { get; init; }

    /// <summary>e^Δ, where kept.</summary>
    public required Span<T> Ratios { get; init; }

    public required Span<T> Weights { get; init; }

    public required Span<TokenDecision> Decisions { get; init; }

    public required MismatchTreatment Treatment { get; init; }

    /// <summary>Treats Δ, lets the correction decide, treats the weights.</summary>
    public readonly void Weigh<TArithmetic>(EngineCorrection correction)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        if (correction is IcePopCorrection band && Treatment.IsDefault)
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
                decision = Treat<TArithmetic>(t);
            }

            Decisions[t] = decision;
            Weights[t] = T.Zero;
        }

        correction.Decide<T, TArithmetic>(this);
        T clamp = T.CreateSaturating(Treatment.WeightClamp);
        for (int t = 0; t < Training.Length; t++)
        {
            if (Decisions[t] != TokenDecision.Kept)
            {
                Weights[t] = T.Zero;
            }
            else if (Treatment.NonFinite == NonFiniteTreatment.Drop && T.IsPositiveInfinity(Weights[t]))
            {
                Decisions[t] = TokenDecision.NonFinite;
                Weights[t] = T.Zero;
            }
            else if (Weights[t] > clamp)
            {
                Weights[t] = clamp;
            }
        }
    }

    /// <summary>Whether a log-ratio and its ratio lie in a closed band.</summary>
    public readonly TokenDecision Band(T logRatio, T ratio, double lowest, double highest)
    {
        bool inRatios = Treatment.Decision == BandDecision.RatioSpace;
        T value = inRatios ? ratio : logRatio;
        T low = T.CreateSaturating(inRatios ? lowest : Math.Log(lowest));
        T high = T.CreateSaturating(inRatios ? highest : Math.Log(highest));
        return value < low ? TokenDecision.MaskedLow
            : value > high ? TokenDecision.MaskedHigh
            : TokenDecision.Kept;
    }

    private readonly TokenDecision Treat<TArithmetic>(int t)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        T limit = T.CreateSaturating(Treatment.LogRatioClamp);
        T difference = Training[t] - Inference[t];
        difference = difference > limit ? limit : difference;
        difference = difference < -limit ? -limit : difference;
        TokenDecision decision = TokenDecision.Kept;
        if (!T.IsFinite(difference) && Treatment.NonFinite != NonFiniteTreatment.Propagate)
        {
            decision = Treatment.NonFinite == NonFiniteTreatment.Drop ? TokenDecision.NonFinite : TokenDecision.Kept;
            difference = T.Zero;
        }

        if (Treatment.SinglePrecision)
        {
            float single = float.CreateSaturating(difference);
            LogRatios[t] = T.CreateSaturating(single);
            Ratios[t] = T.CreateSaturating(Numerics.Exponential.Exp(single));
        }
        else
        {
            LogRatios[t] = difference;
            Ratios[t] = decision == TokenDecision.Kept ? TArithmetic.Exp(difference) : T.Zero;
        }

        return decision;
    }
}
