// Red here: a number that we print under a framework's name is not what the framework logs.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using FsCheck.Xunit;
using RingFlash.Reference.Objective.Mismatch;
using RingFlash.Reference.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Mismatch;

public sealed class MismatchMetricsTests
{
    // log k of the compared tokens: row 0 has log 2, 0 and log ¼; row 1 is empty; row 2 has log 10.
    private static readonly double[] Infer =
        [Math.Log(0.25), -1, Math.Log(0.4), double.NaN, 5, double.PositiveInfinity, Math.Log(0.05), 3, double.NaN];

    private static readonly double[] Train =
        [Math.Log(0.5), -1, Math.Log(0.1), 7, double.NaN, 1e300, Math.Log(0.5), double.NaN, -1e9];

    private const string Mask = "111000100";

    [Fact]
    public void AHandWorkedExample()
    {
        MismatchMetrics metrics = MismatchCases.Metrics(3, Train, Infer, Mask);
        double ln2 = Math.Log(2), ln10 = Math.Log(10);
        void Is(double expected, string framework, string name) =>
            Assert.Equal(expected, metrics[framework, name].Value, 1e-12 * Math.Max(1, Math.Abs(expected)));

        Is(4, "ringflash", "valid_tokens");
        Is(1, "ringflash", "masked_low");
        Is(1, "ringflash", "masked_high");
        Is(0.5, "ringflash", "clip_fraction");
        Is(((3 * ln2) + ln10) / 4, "ringflash", "mean_abs_logp_diff");
        Is(ln10, "ringflash", "max_abs_logp_diff");
        Is(2 * ln2, "ringflash", "max_infer_minus_train");
        Is((2.0 + 1) * (2 + 1) / (4 * (4 + 1)), "ringflash", "ess_fraction");

        Is((ln2 + ln10) / 3, "slime", "train_rollout_logprob_abs_diff");
        Is((((2 + 1 + 0.25) / 3) + 10) / 3, "slime", "tis");
        Is(((1.0 / 3) + 1) / 3, "slime", "tis_clipfrac");
        Is((((1 + 0 + 0.75) / 3) + 9) / 3, "slime", "tis_abs");

        Is((2 + 1) / 4.0, "verl", "rollout_corr/rollout_is_mean");
        Is(Math.Sqrt(((4 + 1) / 4.0) - (0.75 * 0.75)), "verl", "rollout_corr/rollout_is_std");
        Is(0, "verl", "rollout_corr/rollout_is_min");
        Is(2, "verl", "rollout_corr/rollout_is_max");
        Is(0.5, "verl", "rollout_corr/rollout_is_oob_ratio");
        Is(0.25, "verl", "rollout_corr/rollout_is_ratio_fraction_high");
        Is(1.0 / 3, "verl", "rollout_corr/rollout_is_seq_mean");
        Is(1.0 / Math.Sqrt(3), "verl", "rollout_corr/rollout_is_seq_std");
        Is(1, "verl", "rollout_corr/rollout_is_seq_max_deviation");
        Is(1.0 / 3, "verl", "rollout_corr/rollout_is_seq_fraction_high");
        Is(1.0 / 3, "verl", "rollout_corr/rollout_is_seq_fraction_low");
        Is((ln2 - ln10) / 4, "verl", "rollout_corr/kl");
        Is((4 + 1 + 0.0625 + 100) / 4 - 1, "verl", "rollout_corr/chi2_token");
        Is((0.25 + 1 + 100) / 3 - 1, "verl", "rollout_corr/chi2_seq");
        Is((Math.Exp((1 + ln2 + ln10) / 3) + 1 + 2) / 3, "verl", "rollout_corr/training_ppl");
        Is((ln2 / 3 - ln10) / 3, "verl", "rollout_corr/log_ppl_diff");
        Is((ln2 / 3 + ln10) / 3, "verl", "rollout_corr/log_ppl_abs_diff");
        Is((Math.Exp(ln2 / 3) + 1 + 0.1) / 3, "verl", "rollout_corr/ppl_ratio");
        Is(0.45, "verl", "training/rollout_probs_diff_max");
        Is((0.25 + 0 + 0.3 + 0.45) / 4, "verl", "training/rollout_probs_diff_mean");
        Is(Math.Sqrt((0 + 0.0625 + 0.0025 + 0.04) / 3), "verl", "training/rollout_probs_diff_std");

        Is((2 + 1 + 4 + 10) / 4.0, "NeMo-RL", "token_mult_prob_error");
        Is((3.25 + 10 - 4 + ln2 - ln10) / 4, "NeMo-RL", "gen_kl_error");
        Is((0.5 + 1 + 4 + 0.1 - 4 - ln2 + ln10) / 4, "NeMo-RL", "policy_kl_error");
        Is(0.75, "NeMo-RL", "sampling_importance_ratio");
        Is(0.5, "NeMo-RL", "is_oob_ratio");
        Is(10, "NeMo-RL", "max_seq_mult_prob_error");

        // p/m and q/m of the four tokens: 4/3 and 2/3, 1 and 1, 0.4 and 1.6, 20/11 and 2/11; the linear terms cancel.
        double logs = Math.Log(8.0 / 9) + Math.Log(0.64) + Math.Log(40.0 / 121);
        Is(-logs / 8, "NeMo-RL", "js_divergence_error");

        Is(ln10, "TRL", "sampling/sampling_logp_difference/max");
        Is(0.75, "TRL", "sampling/importance_sampling_ratio/mean");
        Is((0.5 + 1 + 0) / 3, "TRL", "sampling/importance_sampling_ratio/mean (sequence)");

        double first = (0.25 + 3 - 3 + ln2) / 3, last = 10 - 1 - ln10;
        Is((first + last) / 3, "prime-rl", "mismatch_kl/mean");
        Is(last, "prime-rl", "mismatch_kl/max");
        Is((0.25 - 1 + (2 * ln2) + last) / 3, "prime-rl", "masked_mismatch_kl/mean");
        Is((2 - 1 - ln2) / 2 / 3, "prime-rl", "unmasked_mismatch_kl/mean");
        Is(0.25, "prime-rl", "is_masked_low/mean");
        Is((Math.Exp(-ln2 / 3) + 1 + 10) / 3, "prime-rl", "geo_seq_ratio/mean");

        Assert.Equal([(1, 2), (2, 1), (3, 1)], metrics.GapByPosition.Select(gap => (gap.First, gap.Tokens)));
        Assert.Equal((ln2 + ln10) / 2, metrics.GapByPosition[0].MeanAbsolute, 1e-12);
        Assert.Contains("above 0.05", metrics.FivePercentText, StringComparison.Ordinal);
        BandShare wide = metrics.Bands.Single(share => share.Band.Beta == 8);
        Assert.Equal((0, 1, 0.25), (wide.Low, wide.High, wide.Share));
    }

    // The reference's own metrics, and what the frameworks' own functions returned; they add 1e-8 to
    // denominators, up to three times in one metric.
    [Fact]
    public void StoredMetricsOfReferenceAndFrameworksAgree()
    {
        (string Peer, string Theirs, string Framework, string Ours)[] pairs =
        [
            ("slime/icepop", "tis_mean", "slime", "tis"),
            ("slime/icepop", "tis_clipfrac_mean", "slime", "tis_clipfrac"),
            ("slime/icepop", "tis_abs_mean", "slime", "tis_abs"),
            .. new[]
            {
                "rollout_is_mean", "rollout_is_std", "rollout_is_oob_ratio", "rollout_is_ratio_fraction_high",
                "rollout_is_ratio_fraction_low", "rollout_is_eff_sample_size", "kl", "k3_kl",
                "chi2_token", "log_ppl_abs_diff",
            }.Select(name => ("verl/icepop_token", "rollout_corr/" + name, "verl", "rollout_corr/" + name)),
            .. new[] { "is_oob_ratio", "sampling_importance_ratio", "gen_kl_error", "token_mult_prob_error" }
                .Select(name => ("nemo_rl/icepop", name, "NeMo-RL", name)),
        ];
        Dictionary<string, int> compared = [];
        foreach (string name in MismatchCases.Names)
        {
            using JsonDocument document =
                JsonDocument.Parse(File.ReadAllBytes(Path.Combine(MismatchCases.Folder, name + ".json")));
            JsonElement root = document.RootElement;
            if (MismatchCases.Metrics(root) is not MismatchMetrics metrics)
            {
                continue;
            }

            CompareReference(name, root, metrics);
            if (metrics.Input.NonFinite > 0 || root.GetProperty("boundary_sensitive").GetBoolean())
            {
                continue; // frameworks log NaN there, or decide in ratio space
            }

            using JsonDocument peers = JsonDocument.Parse(
                File.ReadAllBytes(Path.Combine(MismatchCases.Folder, "peers", name + ".peers.json")));
            foreach ((string peer, string theirs, string framework, string ours) in pairs)
            {
                if (peers.RootElement.GetProperty("peers").GetProperty(peer).GetProperty("f64")
                    .TryGetProperty("metrics", out JsonElement logged)
                    && logged.TryGetProperty(theirs, out JsonElement value))
                {
                    // verl's variance is mean(w²) − mean², each with 1e-8 in its denominator: ±1e-8 under the root.
                    bool isDeviation = theirs.EndsWith("_std", StringComparison.Ordinal);
                    double expected = MismatchCases.Number(value), actual = metrics[framework, ours].Value;
                    (expected, actual) = isDeviation ? (expected * expected, actual * actual) : (expected, actual);
                    Same(expected, actual, 5e-8, $"{name} {peer} {theirs}");
                    compared[framework + ours] = compared.GetValueOrDefault(framework + ours) + 1;
                }
            }
        }

        Assert.Equal(pairs.Length, compared.Count);
        Assert.All(compared, pair => Assert.True(pair.Value >= 10, $"{pair.Key} was compared {pair.Value} times only"));

        // Whatever claims to have been run is compared here.
        MismatchMetrics any = MismatchCases.Metrics(1, [-1, -2], [-1, -2], "11");
        Assert.Equal(
            pairs.Select(pair => pair.Framework + pair.Ours).Order(StringComparer.Ordinal),
            any.All.Where(metric => metric.Basis == FormulaBasis.Run)
                .Select(metric => metric.Framework + metric.Name).Order(StringComparer.Ordinal));
    }

    [Property(Replay = "(20251125,20251127)", MaxTest = 1000)]
    public void WhatStandsUnderTheMaskIsNeverRead(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        int rollouts = 1 + random.NextInteger(5), length = 1 + random.NextInteger(8);
        double[] train = new double[rollouts * length], infer = new double[train.Length];
        double[] otherTrain = new double[train.Length], otherInfer = new double[train.Length];
        double[] odd = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e300, -1e300, 0, 3];
        char[] mask = new char[train.Length];
        for (int index = 0; index < train.Length; index++)
        {
            mask[index] = index == 0 || random.NextInteger(3) > 0 ? '1' : '0';
            infer[index] = -5 * random.NextUniform();
            train[index] = infer[index] + CalibratedMismatch.Published[0].Next(random);
            (otherTrain[index], otherInfer[index]) = mask[index] == '1'
                ? (train[index], infer[index])
                : (odd[random.NextInteger(odd.Length)], odd[random.NextInteger(odd.Length)]);
        }

        MismatchMetrics plain = MismatchCases.Metrics(rollouts, train, infer, new(mask));
        MismatchMetrics padded = MismatchCases.Metrics(rollouts, otherTrain, otherInfer, new(mask));
        Assert.Equal(plain.All, padded.All);
        Assert.Equal(plain.Bands, padded.Bands);
        Assert.Equal(plain.GapByPosition, padded.GapByPosition);
        Assert.DoesNotContain(padded.Input.Warnings, text => text.Contains("finite", StringComparison.Ordinal));
    }

    [Property(Replay = "(20251125,20251127)", MaxTest = 1000)]
    public void EqualEnginesHaveNoMismatch(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        double[] values = [.. Enumerable.Range(0, 12).Select(_ => -9 * random.NextUniform())];
        MismatchMetrics metrics = MismatchCases.Metrics(3, values, values, "111111111111");
        Assert.Equal(0, metrics["slime", "train_rollout_logprob_abs_diff"].Value);
        Assert.Equal(0, metrics["verl", "rollout_corr/k3_kl"].Value);
        Assert.Equal(0, metrics["verl", "rollout_corr/chi2_seq"].Value);
        Assert.Equal(0, metrics["NeMo-RL", "js_divergence_error"].Value, 1e-15);
        Assert.Equal(1, metrics["NeMo-RL", "token_mult_prob_error"].Value);
        Assert.Equal(1, metrics["verl", "training/rollout_actor_probs_pearson_corr"].Value, 1e-12);
        Assert.Equal(1, metrics["ringflash", "ess_fraction"].Value, 1e-15);
        Assert.All(metrics.Bands, share => Assert.Equal(0, share.Share));
    }

    [Fact]
    public void TokensThatAreNotFiniteAreCountedAndLeftOut()
    {
        double infinity = double.PositiveInfinity;
        MismatchMetrics metrics =
            MismatchCases.Metrics(1, [-1, -infinity, double.NaN, -1e308], [-1, -1, -1, 1e308], "1111");
        Assert.Equal(3, metrics.Input.NonFinite);
        Assert.Equal(0.75, metrics["ringflash", "clip_fraction"].Value);
        Assert.Equal(0, metrics["slime", "train_rollout_logprob_abs_diff"].Value);
        Assert.All(metrics.Bands, share => Assert.Equal(3, share.NonFinite));
        Assert.Contains(metrics.Input.Warnings, warning => warning.StartsWith("3 of 4", StringComparison.Ordinal));

        MismatchMetrics none = MismatchCases.Metrics(1, [double.NaN], [-1], "1");
        Assert.Equal(1, none["ringflash", "clip_fraction"].Value);
        Assert.Equal(0, none["verl", "rollout_corr/rollout_is_eff_sample_size"].Value);
        Assert.Contains("<svg", MismatchReport.ToHtml(none), StringComparison.Ordinal);
    }

    [Fact]
    public void RoutersAreComparedBySetAndByOrder()
    {
        // Two tokens, two layers, two experts; the second token's first layer was not told, the third is padding.
        LogProbabilityData train = MismatchCases.Data("a", 1, [-1, -2, -3, -4], "1101") with
        {
            RoutedExperts = new(2, 2, [0, 1, 2, 3, -1, -1, 5, 6, 9, 9, 9, 9, 1, 2, 3, 4]),
        };
        LogProbabilityData infer = MismatchCases.Data("b", 1, [-1.5, -2, -3, -4.25], "1101") with
        {
            RoutedExperts = new(2, 2, [1, 0, 2, 7, 4, 5, 5, 6, 8, 8, 8, 8, 1, 2, 4, 3]),
        };
        RoutingAgreement routing = MismatchMetrics.Compute(MismatchInput.Create(train, infer)).Routing!;
        Assert.Equal(new LayerAgreement(0, 2, 2, 1, 1), routing.Layers[0]);
        Assert.Equal(new LayerAgreement(1, 3, 2, 1, 2.5 / 3), routing.Layers[1]);
        Assert.Equal((1, 1, 1), (routing.NotTold, routing.SameEverywhere, routing.DifferentSomewhere));
        Assert.Equal((0.25, 0.5), (routing.GapSame, routing.GapDifferent));
    }

    [Fact]
    public void OptionsOutsideTheirRangeAreRefused()
    {
        MismatchInput input = MismatchInput.Create(MismatchCases.Data("a", 1, [-1]), MismatchCases.Data("b", 1, [-1]));
        Assert.Throws<ArgumentException>(() => MismatchMetrics.Compute(input, new(5, 0.5)));
        Assert.Throws<ArgumentException>(() => MismatchMetrics.Compute(input, new(double.NaN, 5)));
        Assert.Throws<ArgumentException>(() => MismatchMetrics.Compute(input, new(SequenceCap: 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => MismatchMetrics.Compute(input, new(PositionBins: 0)));
        Assert.Throws<KeyNotFoundException>(() => MismatchMetrics.Compute(input)["slime", "ois"]);
    }

    private static void CompareReference(string name, JsonElement root, MismatchMetrics metrics)
    {
        JsonElement expected = root.GetProperty("reference_f64").GetProperty("metrics");
        foreach (string key in (string[])
            [
                "valid_tokens", "nonfinite_log_ratio", "masked_low", "masked_high", "clip_fraction",
                "mean_abs_logp_diff", "max_abs_logp_diff", "k1_infer_train", "k3_infer_train", "ess_fraction",
            ])
        {
            double value = MismatchCases.Number(expected.GetProperty(key));
            Same(value, metrics["ringflash", key].Value, 1e-12, $"{name} {key}");
        }
    }

    private static void Same(double expected, double actual, double tolerance, string what) => Assert.True(
        expected.Equals(actual) || Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)),
        $"{what}: {actual:R} for {expected:R}");
}
