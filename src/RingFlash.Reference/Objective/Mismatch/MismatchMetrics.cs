using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>
/// Every engine-mismatch metric that slime, verl, NeMo-RL, TRL and prime-rl log, from one pair of files, under their
/// names; so
/// that a dashboard can be compared with the truth.
/// </summary>
/// <remarks>
/// <para>Maths: float64, in storage order. Where a framework adds 1e-8 to a denominator we do not: values agree to
/// about 1e-8.
/// Where a framework works in float32 its last digits differ by more.</para>
/// <para>Tokens: valid ones with a finite difference (<see cref="MismatchInput"/>).</para>
/// <para>Not computable from two files, since they compare with the live policy: slime's <c>ois</c>, <c>ppo_kl</c> and
/// <c>pg_clipfrac</c>, NeMo-RL's <c>probs_ratio…</c>. prime-rl's metrics do too; ours are what it logs in the first
/// update on a
/// batch, when the live policy is still the one that sampled.</para>
/// <para>Sources: spec sections 0 and 3.2; verl <c>rollout_corr_helper.py</c>, NeMo-RL <c>loss_functions.py</c>,
/// prime-rl
/// <c>loss.py</c>, TRL <c>grpo_trainer.py</c>, slime <c>loss.py</c>. Each metric says how sure its formula is.</para>
/// </remarks>
public sealed partial class MismatchMetrics
{
    private readonly MismatchInput input;
    private readonly MismatchOptions options;
    private readonly MismatchStatistics statistics;
    private readonly List<MismatchMetric> all = [];

    private MismatchMetrics(MismatchInput input, MismatchOptions options)
    {
        this.input = input;
        this.options = options;
        statistics = new(input, options);
        AddReference();
        AddSlime();
        AddVerl();
        AddNemo();
        AddTrl();
        AddPrime();
        Bands = MismatchBand.Known(options).Select(band => BandShare.Measure(band, input)).ToArray();
        GapByPosition = PositionGap.Measure(input, options.PositionBins);
        Routing = RoutingAgreement.Measure(input);
    }

    /// <summary>What was compared.</summary>
    public MismatchInput Input => input;

    /// <summary>The options.</summary>
    public MismatchOptions Options => options;

    /// <summary>The metrics, by framework.</summary>
    public IReadOnlyList<MismatchMetric> All => all;

    /// <summary>What each known band would mask.</summary>
    public IReadOnlyList<BandShare> Bands { get; }

    /// <summary>|Δ| along the response.</summary>
    public IReadOnlyList<PositionGap> GapByPosition { get; }

    /// <summary>How well the routers agree; null when one of the files has no routed experts.</summary>
    public RoutingAgreement? Routing { get; }

    /// <summary>The mean of |Δ| over the compared tokens.</summary>
    public double MeanAbsoluteDifference => statistics.Mean(Math.Abs);

    /// <summary>The level of the 5 % criterion: 0.05 nats is a ratio of 1.0513, and 5 % is 0.0488 nats.</summary>
    public const double FivePercentLevel = 0.05;

    /// <summary>What the 5 % criterion says about these files, with what it is worth.</summary>
    public string FivePercentText =>
        string.Create(CultureInfo.InvariantCulture, $"mean |Δ| = {MeanAbsoluteDifference:0.######} nats, ")
        + (MeanAbsoluteDifference > FivePercentLevel ? "above" : "not above")
        + " 0.05. The authors saw runs fail after their running mean had passed 0.05 (5 % in relative terms): an "
        + "observation "
        + "about their runs, not a theorem, and not a limit for single tokens.";

    /// <summary>Computes everything.</summary>
    /// <param name="input">What is compared.</param>
    /// <param name="options">Band, cap and bins; the published band when null.</param>
    /// <returns>The metrics.</returns>
    public static MismatchMetrics Compute(MismatchInput input, MismatchOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        options ??= new();
        options.Check();
        return new(input, options);
    }

    /// <summary>Finds a metric.</summary>
    /// <param name="framework">Who logs it.</param>
    /// <param name="name">Its name there.</param>
    /// <returns>The metric.</returns>
    public MismatchMetric this[string framework, string name] =>
        all.Find(metric => metric.Framework == framework && metric.Name == name)
        ?? throw new KeyNotFoundException($"{framework} logs no {name} that is computed here");

    private void AddReference()
    {
        const string framework = "ringflash";
        int low = input.Delta.Count(statistics.IsLow), high = input.Delta.Count(statistics.IsHigh);
        double[] weights = Array.ConvertAll(input.Delta, delta => statistics.IcePop(delta));
        void Add(string name, double value, string formula) =>
            all.Add(new(framework, name, value, formula, FormulaBasis.Defined));

        Add("valid_tokens", input.ValidTokens, "tokens with mask 1");
        Add("nonfinite_log_ratio", input.NonFinite, "valid tokens whose Δ is NaN or infinite");
        Add("masked_low", low, "tokens with Δ < log α");
        Add("masked_high", high, "tokens with Δ > log β");
        Add(
            "clip_fraction",
            (double)(low + high + input.NonFinite) / input.ValidTokens,
            "(masked low + masked high + not finite) / valid");
        Add("mean_abs_logp_diff", MeanAbsoluteDifference, "mean |Δ|");
        Add("max_abs_logp_diff", statistics.Largest(Math.Abs), "max |Δ|");
        Add("k1_infer_train", statistics.Mean(delta => -delta), "mean −Δ, estimates KL(infer ‖ train)");
        Add("k3_infer_train", statistics.Mean(MismatchStatistics.ThirdEstimator), "mean (k − 1 − Δ)");
        Add(
            "ess_fraction",
            MismatchStatistics.EffectiveSampleShare(weights, input.ValidTokens),
            "(Σw)² / (N·Σw²), w the IcePop weight, N valid tokens; 0 when all are masked");
        Add(
            "max_infer_minus_train",
            statistics.Largest(delta => -delta),
            "max (log π_infer − log π_train), as the blog plots");
        Add("mean_log_prob_train", statistics.MeanOf((o, _) => o), "mean log π_train, as report and blog plot");
    }

    private void AddSlime()
    {
        const string framework = "slime";
        const string note = "mean over responses of the mean over tokens; an empty response counts as 0";
        all.Add(new(
            framework,
            "train_rollout_logprob_abs_diff",
            statistics.RowMean(Math.Abs),
            "response mean of |Δ|",
            FormulaBasis.Read,
            note + "; miles logs the same"));
        all.Add(new(framework, "tis", statistics.RowMean(Math.Exp), "response mean of k", FormulaBasis.Run, note));
        all.Add(new(
            framework,
            "tis_clipfrac",
            statistics.RowMean(delta => statistics.InBand(delta) ? 0 : 1),
            "response mean of 1[weight ≠ k], that is of k outside α … β",
            FormulaBasis.Run,
            note + "; the flags' own defaults are 0 and 2"));
        all.Add(new(
            framework,
            "tis_abs",
            statistics.RowMean(delta => Math.Abs(Math.Exp(delta) - 1)),
            "response mean of |k − 1|",
            FormulaBasis.Run,
            note));
    }

    private void AddNemo()
    {
        const string framework = "NeMo-RL";
        void Add(string name, double value, string formula, FormulaBasis basis, string note = "") =>
            all.Add(new(framework, name, value, formula, basis, note));

        double[] factors = statistics.RowMeans(delta => Math.Exp(Math.Abs(delta)));
        Add(
            "token_mult_prob_error",
            statistics.Mean(delta => Math.Exp(Math.Abs(delta))),
            "mean e^|Δ|",
            FormulaBasis.Run,
            "its guide calls for attention above 1.05");
        Add("gen_kl_error", statistics.Mean(MismatchStatistics.ThirdEstimator), "mean (k − 1 − Δ)", FormulaBasis.Run);
        Add(
            "policy_kl_error",
            statistics.Mean(delta => MismatchStatistics.ThirdEstimator(-delta)),
            "mean (1/k − 1 + Δ)",
            FormulaBasis.Read,
            "samples are the inference engine's, so this is no estimate of KL(train ‖ infer)");
        Add(
            "js_divergence_error",
            statistics.MeanOf((o, q) =>
            {
                double mixture = MismatchStatistics.LogMean(o, q);
                return (MismatchStatistics.ThirdEstimator(o - mixture) + MismatchStatistics.ThirdEstimator(
                    q - mixture)) / 2;
            }),
            "mean of ½·(p/m − 1 − log p/m) + ½·(q/m − 1 − log q/m), m = (p + q)/2",
            FormulaBasis.Read);
        Add(
            "sampling_importance_ratio",
            statistics.Mean(statistics.IcePop),
            "mean of the weight after masking",
            FormulaBasis.Run,
            "type icepop; with no truncation it is the mean of k");
        Add(
            "is_oob_ratio",
            statistics.Share(delta => !statistics.InBand(delta)),
            "share of k outside α … β",
            FormulaBasis.Run);
        Add(
            "max_seq_mult_prob_error",
            factors.Max(),
            "largest response mean of e^|Δ|",
            FormulaBasis.Inferred,
            "from its name");
    }

    private void AddTrl()
    {
        const string framework = "TRL";
        const string token = "mode token_mask with α … β";
        const string sequence = "mode sequence_mask, the default; one ratio per response, 0 above the cap";
        double[] ratios = Array.ConvertAll(
            statistics.RowSums(), sum => sum <= Math.Log(options.SequenceCap) ? Math.Exp(sum) : 0);
        void Add(string name, double value, string formula, string note = "") =>
            all.Add(new(framework, "sampling/" + name, value, formula, FormulaBasis.Read, note));

        Add("sampling_logp_difference/mean", statistics.Mean(Math.Abs), "mean |Δ|", "then the mean over processes");
        Add("sampling_logp_difference/max", statistics.Largest(Math.Abs), "max |Δ|");
        Add("importance_sampling_ratio/min", statistics.Smallest(statistics.IcePop), "min of the masked k", token);
        Add("importance_sampling_ratio/mean", statistics.Mean(statistics.IcePop), "mean of the masked k", token);
        Add("importance_sampling_ratio/max", statistics.Largest(statistics.IcePop), "max of the masked k", token);
        Add("importance_sampling_ratio/min (sequence)", ratios.Min(), "min of the masked e^ΣΔ", sequence);
        Add("importance_sampling_ratio/mean (sequence)", ratios.Average(), "mean of the masked e^ΣΔ", sequence);
        Add("importance_sampling_ratio/max (sequence)", ratios.Max(), "max of the masked e^ΣΔ", sequence);
    }

    private void AddPrime()
    {
        const string framework = "prime-rl";
        const string first = "its numerator is the live policy; equal in the first update on a batch";
        void Add(
            string name, double value, string formula, FormulaBasis basis = FormulaBasis.Read, string note = first) =>
            all.Add(new(framework, name, value, formula, basis, note));

        Func<double, double> third = MismatchStatistics.ThirdEstimator;
        double[] divergences = statistics.RowMeans(third);
        double[] geometric = Array.ConvertAll(statistics.RowMeans(delta => delta), Math.Exp);
        Add("mismatch_kl/mean", divergences.Average(), "mean over responses of the mean of k − 1 − Δ");
        Add("mismatch_kl/max", divergences.Max(), "largest response mean of k − 1 − Δ");
        Add(
            "masked_mismatch_kl/mean",
            statistics.RowMeansWhere(delta => !statistics.InBand(delta), third).Average(),
            "the same over masked tokens; a response without any counts as 0");
        Add(
            "unmasked_mismatch_kl/mean",
            statistics.RowMeansWhere(statistics.InBand, third).Average(),
            "the same over kept tokens; a response without any counts as 0");
        Add("is_masked/mean", statistics.Share(delta => !statistics.InBand(delta)), "share of k outside α … β");
        Add("is_masked_low/mean", statistics.Share(statistics.IsLow), "share of k < α");
        Add("is_masked_high/mean", statistics.Share(statistics.IsHigh), "share of k > β");
        Add("geo_seq_ratio/mean", geometric.Average(), "mean over responses of exp(mean Δ)");
        Add(
            "geo_masked_low/mean",
            geometric.Count(ratio => ratio < 0.1) / (double)geometric.Length,
            "share of responses with exp(mean Δ) < 0.1",
            FormulaBasis.Inferred,
            "the bound is a setting; its default is inferred");
        Add(
            "geo_masked_high/mean",
            geometric.Count(ratio => ratio > 10) / (double)geometric.Length,
            "share of responses with exp(mean Δ) > 10",
            FormulaBasis.Inferred,
            "the bound is a setting; its default is inferred");
    }
}
