// Red here: the mask function, a group advantage, a KL estimator or one of IcePop's relatives is not what its
// literature and the independent vectors say.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class FunctionVectors
{
    [Fact]
    public void MaskFunction()
    {
        int compared = 0;
        foreach (JsonElement item in Items("mask_function.json"))
        {
            double k = Number(item.GetProperty("k"));
            double alpha = Number(item.GetProperty("alpha")), beta = Number(item.GetProperty("beta"));
            double masked = IcePopMask.OfRatio(k, alpha, beta);
            string what = $"M({k:R}; {alpha}, {beta})";
            IcePopCases.SameBits([Number(item.GetProperty("M"))], [masked], what);
            Assert.Equal(item.GetProperty("keep").GetBoolean(), k >= alpha && k <= beta);
            if (k > 0 && double.IsFinite(k))
            {
                // Through the operators in ratio space: the log-ratio's rounding is the only difference.
                const BandDecision Ratios = BandDecision.RatioSpace;
                double upper = Weight(new TruncatedCorrection(beta), k, Ratios);
                double both = Weight(new TwoSidedClampCorrection(alpha, beta), k, Ratios);
                IcePopCases.Near(Number(item.GetProperty("tis_upper_only")), upper, 2e-13, 5e-324, what + " TIS");
                IcePopCases.Near(Number(item.GetProperty("tis_two_sided")), both, 2e-13, 5e-324, what + " clamp");
            }

            compared++;
        }

        Assert.Equal(144, compared);
    }

    [Fact]
    public void Advantages()
    {
        (string Key, GroupAdvantageOptions Options, double Tolerance)[] conventions =
        [
            ("population_std_eps0_zero_if_max_eq_min", GroupAdvantageOptions.Population, 1e-12),
            ("naive_population_std_eps0", GroupAdvantageOptions.Population with
            {
                EqualRewardsGiveZero = false,
                SingleMember = SingleMemberRule.Formula,
            }, 1e-12),
            ("sample_std_eps1e-6", new GroupAdvantageOptions { EqualRewardsGiveZero = false }, 1e-12),
            ("population_std_eps1e-6", GroupAdvantageOptions.Population with
            {
                Epsilon = 1e-6,
                EqualRewardsGiveZero = false,
            }, 1e-12),
            ("sample_std_eps1e-4", GroupAdvantageOptions.Trl, 1e-12),
            ("no_std", GroupAdvantageOptions.WithoutDeviation with { EqualRewardsGiveZero = false }, 1e-12),
            ("verl_run", GroupAdvantageOptions.Verl, 1e-6),
            ("verl_run_no_std", GroupAdvantageOptions.Verl with { Scale = AdvantageScale.None }, 1e-12),
        ];
        int compared = 0;
        foreach (JsonElement item in Items("advantages.json"))
        {
            double[] rewards = Numbers(item.GetProperty("rewards"));
            long[] groups = [.. Numbers(item.GetProperty("group")).Select(number => (long)number)];
            foreach ((string key, GroupAdvantageOptions options, double tolerance) in conventions)
            {
                double[] expected = Numbers(item.GetProperty(key)), actual = new double[rewards.Length];
                GroupAdvantage.Exact(rewards, groups, options, actual);
                bool residue = key.StartsWith("naive", StringComparison.Ordinal) && rewards.Distinct().Count() == 1;
                if (residue)
                {
                    // 0/0 or ±1, depending on the order of the sum: the hazard, not a value.
                    Assert.All(actual, value => Assert.True(double.IsNaN(value) || Math.Abs(value) == 1));
                }
                else
                {
                    // Unprotected, equal rewards leave a residue of the mean's rounding over epsilon.
                    bool unprotected = !options.EqualRewardsGiveZero && rewards.Distinct().Count() == 1;
                    double absolute = unprotected ? 1e-9 : 1e-15;
                    IcePopCases.Near(expected, actual, tolerance, absolute, $"{key} of {string.Join(' ', rewards)}");
                }

                float[] single = new float[rewards.Length], vectors = new float[rewards.Length];
                float[] narrow = Array.ConvertAll(rewards, reward => (float)reward);
                GroupAdvantage.Scalar(narrow, groups, options, single);
                GroupAdvantage.Vectorised(narrow, groups, options, vectors);
                Operators.Check.SameBits(single, vectors, key);
                if (options.EqualRewardsGiveZero)
                {
                    IcePopCases.Near(expected, Array.ConvertAll(single, value => (double)value), 2e-5, 0, key + " f32");
                }

                compared++;
            }

            if (item.TryGetProperty("slime_run_f32", out JsonElement slime) && slime.ValueKind == JsonValueKind.Array)
            {
                // Where all rewards are equal slime's residue depends on torch's order of summation.
                bool equal = rewards.Distinct().Count() == 1 && rewards.Length > 1;
                float[] actual = new float[rewards.Length];
                GroupAdvantage.Scalar(
                    Array.ConvertAll(rewards, reward => (float)reward), groups, GroupAdvantageOptions.Slime, actual);
                if (!equal)
                {
                    double[] wide = Array.ConvertAll(actual, value => (double)value);
                    IcePopCases.Near(Numbers(slime), wide, 1e-5, 1e-7, "slime in float32");
                }
            }
        }

        Assert.Equal(12 * conventions.Length, compared);
    }

    [Fact]
    public void DivergenceEstimators()
    {
        int compared = 0;
        foreach (JsonElement item in Items("kl_estimators.json"))
        {
            double[] current = Numbers(item.GetProperty("logp")), reference = Numbers(item.GetProperty("ref"));
            foreach (KullbackLeiblerKind kind in Enum.GetValues<KullbackLeiblerKind>())
            {
                double[] actual = new double[current.Length], gradient = new double[current.Length];
                KullbackLeiblerEstimator.Exact(kind, current, reference, actual);
                KullbackLeiblerEstimator.ExactBackward(kind, current, reference, gradient);
                
                // The file's k3 is e^−d − 1 + d in float64, which is off by up to 3e-16 where it cancels.
                double absolute = kind == KullbackLeiblerKind.K3 ? 4e-16 : 0;
                IcePopCases.Near(Numbers(item.GetProperty(kind.Word())), actual, 1e-12, absolute, kind.Word());
                IcePopCases.Near(
                    Numbers(item.GetProperty("grad_" + kind.Word())), gradient, 1e-12, 0, "grad " + kind.Word());
                compared += actual.Length;
            }
        }

        Assert.Equal(6 * 8 * 3, compared);
    }

    [Fact]
    public void Relatives()
    {
        int compared = 0;
        foreach (JsonElement item in Items("operators.json"))
        {
            double alpha = Number(item.GetProperty("alpha")), beta = Number(item.GetProperty("beta"));
            double[] advantages = Numbers(item.GetProperty("advantages"));
            Dictionary<string, EngineCorrection> corrections = new()
            {
                ["icepop_k"] = new IcePopCorrection(alpha, beta),
                ["binary_mask_one"] = new BinaryMaskCorrection(alpha, beta),
                ["tis_upper"] = new TruncatedCorrection(beta),
                ["tis_two_sided"] = new TwoSidedClampCorrection(alpha, beta),
                ["mis_upper_only"] = new MaskedTokenCorrection(beta),
                ["seq_geometric_mask_keep"] = new GeometricMaskCorrection(alpha, beta, TimesRatio: false),
                ["seq_geometric_mask_token_k"] = new GeometricMaskCorrection(alpha, beta, TimesRatio: true),
                ["seq_product_icepop"] = new MaskedSequenceCorrection(alpha, beta),
                ["seq_minmax_veto_keep"] = new VetoCorrection(alpha, beta, TimesRatio: false),
                ["kpop_phi0.1_keep"] = new KPopCorrection(0.1, TimesRatio: false),
                ["kpop_phi0.5_keep"] = new KPopCorrection(0.5, TimesRatio: false),
                ["kpop_phi2_keep"] = new KPopCorrection(2, TimesRatio: false),
                ["ipo_eps0.1_keep"] = new ProbabilityGapCorrection(0.1, TimesRatio: false),
                ["dppo_tv0.2_keep"] = new DirectedGapCorrection(0.2, TimesRatio: false),
                ["inverse_direction_keep(verl token_k1 with the same numbers)"] =
                    new BinaryMaskCorrection(alpha, beta, InverseDirection: true),
            };
            JsonElement expected = item.GetProperty("operators");
            Assert.Equal(corrections.Count, expected.EnumerateObject().Count());
            foreach ((string name, EngineCorrection correction) in corrections)
            {
                for (int row = 0; row < advantages.Length; row++)
                {
                    double[] old = Numbers(item.GetProperty("logp_old")[row]);
                    double[] inference = Numbers(item.GetProperty("logp_infer")[row]);
                    byte[] mask = [.. Numbers(item.GetProperty("mask")[row]).Select(flag => (byte)flag)];
                    double[] weights = new double[old.Length];
                    correction.Weigh(old, inference, mask, advantages[row], weights, new TokenDecision[old.Length]);
                    IcePopCases.Near(
                        Numbers(expected.GetProperty(name)[row]), weights, 1e-12, 0, $"{name}, row {row}");
                    compared++;
                }
            }
        }

        Assert.Equal(9 * 15 * 3, compared);
    }

    private static double Weight(EngineCorrection correction, double ratio, BandDecision decision)
    {
        double[] weights = new double[1];
        correction.Weigh([Math.Log(ratio)], [0], [1], 1, weights, new TokenDecision[1], decision);
        return weights[0];
    }

    private static JsonElement.ArrayEnumerator Items(string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(IcePopCases.Folder, name)))
            .RootElement.GetProperty("items").EnumerateArray();

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(Number)];

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.String
        ? double.Parse(value.GetString()!, System.Globalization.CultureInfo.InvariantCulture)
        : value.GetDouble();
}
