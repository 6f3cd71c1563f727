using System;
using System.Linq;

namespace RingFlash.Reference.Objective.Mismatch;

// verl: two families, the rollout correction helper's and the trainer's debug metrics.
public sealed partial class MismatchMetrics
{
    private void AddVerl()
    {
        AddVerlWeights();
        AddVerlSequences();
        AddVerlDivergences();
        AddVerlProbabilities();
    }

    private void Verl(string name, double value, string formula, FormulaBasis basis, string note = "") =>
        all.Add(new("verl", name, value, formula, basis, note));

    // Its IcePop weight in token mode: threshold string "α_β"; Δ is clamped to ±20 first.
    private double VerlWeight(double delta) => statistics.IcePop(MismatchStatistics.Clamp(delta));

    private void AddVerlWeights()
    {
        const string prefix = "rollout_corr/rollout_is_";
        double[] weights = Array.ConvertAll(input.Delta, VerlWeight);
        Func<double, bool> outside = delta => !statistics.InBand(MismatchStatistics.Clamp(delta));
        Verl(
            prefix + "mean",
            statistics.Mean(VerlWeight),
            "mean w, w = k·1[α ≤ k ≤ β]",
            FormulaBasis.Run,
            "rollout_is = token");
        Verl(prefix + "std", MismatchStatistics.PopulationDeviation(weights), "population sd of w", FormulaBasis.Run);
        Verl(prefix + "min", statistics.Smallest(VerlWeight), "min w", FormulaBasis.Read);
        Verl(prefix + "max", statistics.Largest(VerlWeight), "max w", FormulaBasis.Read);
        Verl(prefix + "oob_ratio", statistics.Share(outside), "share of k outside α … β", FormulaBasis.Run);
        Verl(prefix + "ratio_fraction_high", statistics.Share(statistics.IsHigh), "share of k > β", FormulaBasis.Run);
        Verl(prefix + "ratio_fraction_low", statistics.Share(statistics.IsLow), "share of k < α", FormulaBasis.Run);
        Verl(
            prefix + "eff_sample_size",
            MismatchStatistics.EffectiveSampleShare(weights, weights.Length),
            "1 / mean (w / mean w)²",
            FormulaBasis.Run,
            "0 when every token is masked, where verl divides by zero (issue 7559)");
    }

    private void AddVerlSequences()
    {
        const string prefix = "rollout_corr/rollout_is_seq_";
        const string note = "an empty response has mean 0";
        double[] means = statistics.RowMeans(VerlWeight);
        double[] raw = statistics.RowMeans(delta => Math.Exp(MismatchStatistics.Clamp(delta)));
        Verl(prefix + "mean", means.Average(), "mean over responses of mean w", FormulaBasis.Read, note);
        Verl(
            prefix + "std",
            MismatchStatistics.SampleDeviation(means),
            "sample sd over responses of mean w",
            FormulaBasis.Read,
            note);
        Verl(prefix + "min", means.Min(), "min over responses of mean w", FormulaBasis.Read, note);
        Verl(prefix + "max", means.Max(), "max over responses of mean w", FormulaBasis.Read, note);
        Verl(
            prefix + "max_deviation",
            means.Max(mean => Math.Abs(mean - 1)),
            "max over responses of |mean w − 1|",
            FormulaBasis.Read,
            note);
        Verl(
            prefix + "fraction_high",
            raw.Count(mean => mean > options.Beta) / (double)raw.Length,
            "share of responses with mean k > β",
            FormulaBasis.Read,
            "of the unmasked k at the revision read; earlier ones took the masked");
        Verl(
            prefix + "fraction_low",
            raw.Count(mean => mean < options.Alpha) / (double)raw.Length,
            "share of responses with mean k < α",
            FormulaBasis.Read,
            "of the unmasked k at the revision read; earlier ones took the masked");
    }

    private void AddVerlDivergences()
    {
        const string prefix = "rollout_corr/";
        const string note = "an empty response has mean log-probability 0";
        double[] train = statistics.RowMeansOf(input.TrainValues), infer = statistics.RowMeansOf(input.InferValues);
        double[] differences = [.. infer.Zip(train, (q, o) => q - o)];
        double[] sums = Array.ConvertAll(statistics.RowSums(), MismatchStatistics.Clamp);
        Verl(
            prefix + "kl",
            statistics.Mean(delta => -delta),
            "mean −Δ",
            FormulaBasis.Run,
            "estimates KL(rollout ‖ training)");
        Verl(
            prefix + "k3_kl", statistics.Mean(MismatchStatistics.ThirdEstimator), "mean (k − 1 − Δ)", FormulaBasis.Run);
        Verl(
            prefix + "chi2_token",
            statistics.Mean(delta => Math.Exp(2 * MismatchStatistics.Clamp(delta))) - 1,
            "mean k² − 1, Δ clamped to ±20",
            FormulaBasis.Run);
        Verl(
            prefix + "chi2_seq",
            sums.Average(sum => Math.Exp(2 * sum)) - 1,
            "mean over responses of e^(2ΣΔ) − 1, ΣΔ clamped to ±20",
            FormulaBasis.Read,
            "an empty response has ΣΔ = 0");
        Verl(
            prefix + "training_ppl",
            train.Average(mean => Math.Exp(-mean)),
            "mean over responses of exp(−mean log π_train)",
            FormulaBasis.Read,
            note);
        Verl(
            prefix + "training_log_ppl",
            -train.Average(),
            "mean over responses of −mean log π_train",
            FormulaBasis.Read,
            note);
        Verl(
            prefix + "rollout_ppl",
            infer.Average(mean => Math.Exp(-mean)),
            "mean over responses of exp(−mean log π_infer)",
            FormulaBasis.Read,
            note);
        Verl(
            prefix + "rollout_log_ppl",
            -infer.Average(),
            "mean over responses of −mean log π_infer",
            FormulaBasis.Read,
            note);
        Verl(prefix + "log_ppl_diff", differences.Average(), "mean over responses of mean −Δ", FormulaBasis.Read, note);
        Verl(
            prefix + "log_ppl_abs_diff",
            differences.Average(Math.Abs),
            "mean over responses of |mean Δ|",
            FormulaBasis.Run,
            note);
        Verl(prefix + "log_ppl_diff_max", differences.Max(), "max over responses of mean −Δ", FormulaBasis.Read, note);
        Verl(prefix + "log_ppl_diff_min", differences.Min(), "min over responses of mean −Δ", FormulaBasis.Read, note);
        Verl(
            prefix + "ppl_ratio",
            differences.Average(Math.Exp),
            "mean over responses of exp(mean −Δ)",
            FormulaBasis.Read,
            note);
    }

    private void AddVerlProbabilities()
    {
        const string prefix = "training/";
        double[] train = Array.ConvertAll(input.TrainValues, Math.Exp);
        double[] infer = Array.ConvertAll(input.InferValues, Math.Exp);
        double[] differences = [.. train.Zip(infer, (p, q) => Math.Abs(p - q))];
        Verl(prefix + "rollout_probs_diff_max", differences.DefaultIfEmpty().Max(), "max |p − q|", FormulaBasis.Read);
        Verl(
            prefix + "rollout_probs_diff_mean",
            differences.DefaultIfEmpty().Average(),
            "mean |p − q|",
            FormulaBasis.Read);
        Verl(
            prefix + "rollout_probs_diff_std",
            MismatchStatistics.SampleDeviation(differences),
            "sample sd of |p − q|",
            FormulaBasis.Read);
        Verl(
            prefix + "rollout_actor_probs_pearson_corr",
            train.Length < 2 ? double.NaN : MismatchStatistics.Correlation(train, infer),
            "Pearson correlation of p and q over tokens",
            FormulaBasis.Read,
            "of probabilities, not of their logarithms; NaN when one side is constant");
    }
}
