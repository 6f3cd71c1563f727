using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// verl's rollout correction with a threshold string "α_β", and its vanilla policy loss: e^(Δ limited to ±20), of the
/// token or of the response's sum, 0 outside the band in ratio space; PPO with ℓ − o limited to ±20 and a dual clip.
/// </summary>
/// <param name="Sequence">The product over the response.</param>
/// <param name="DualClip">c; the runs without dual clip used 1e30.</param>
internal sealed record Verl(bool Sequence, double DualClip) : IFrameworkLoss
{
    private const string Source =
        "verl-project/verl @1dda039b verl/trainer/ppo/rollout_corr_helper.py, core_algos.py";

    private const string Prefix = "rollout_corr/";

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding, KnownFaults.EverythingMaskedRaises,
        KnownFaults.ZeroLowerBoundRaises, KnownFaults.EmptyBatchRaises, KnownFaults.EmptyRowsLeave,
        KnownFaults.AddedConstant, KnownFaults.SafetyBound,
    ];

    private static readonly LossAggregationKind[] Aggregations =
    [
        LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean,
        LossAggregationKind.SequenceMeanTokenSum, LossAggregationKind.TokenSum,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "verl/icepop_token",
            Source,
            "k inside the band; Δ limited to ±20; no dual clip",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults],
            new Verl(false, 1e30)),
        new(
            "verl/icepop_token_dualclip3",
            Source,
            "the same with the default dual clip of 3",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults, KnownFaults.DualClip],
            new Verl(false, 3)),
        new(
            "verl/icepop_sequence",
            Source,
            "product of the response's ratios inside the band",
            Aggregations,
            [.. Faults, KnownFaults.SequenceProduct],
            new Verl(true, 1e30)),
        new(
            "verl/rs_token_k1",
            Source,
            "rejection mask over infer/train",
            [],
            [KnownFaults.InverseDirection, KnownFaults.ZeroLowerBoundRaises, KnownFaults.EmptyBatchRaises],
            new VerlRejection()),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        RequireTokens(input);
        if (input.Alpha <= 0)
        {
            throw new ProfileErrorException(
                KnownFaults.ZeroLowerBoundRaises,
                "ValueError: rollout_is_threshold lower bound must be positive, got "
                + PythonText.Float(input.Alpha) + ".");
        }

        Traced<T> mask = input.Mask, difference = input.Old - input.Inference;
        Traced<T> level = Sequence ? Traced<T>.Where(mask, difference, 0).RowSum() : difference;
        Traced<T> raw = level.Clamp(-20, 20).Exp() * mask;
        Traced<T> weight = Traced<T>.Where((raw >= input.Alpha) & (raw <= input.Beta), raw, 0);
        Traced<T> ratio = (input.Current - input.Old).Clamp(-20, 20).Exp();
        Traced<T> surrogate = input.Surrogate(ratio);
        surrogate = Traced<T>.Where(
            input.Advantages < 0, Traced<T>.Minimum(-input.Advantages * DualClip, surrogate), surrogate);
        Traced<T> loss = surrogate * weight, filled = input.Counts > 0;
        Traced<T> rowSums = (loss * mask).RowSum();
        Traced<T> ResponseMean(Traced<T> rows) => Traced<T>.Where(filled, rows, 0).Sum() / filled.Sum();
        FrameworkOutput<T> output = new FrameworkOutput<T>(input) { Weight = weight }
            .Loss(LossAggregationKind.SequenceMeanTokenMean, ResponseMean(rowSums / (input.Counts + 1e-8)))
            .Loss(LossAggregationKind.TokenMean, Traced<T>.Where(mask, loss, 0).Sum() / mask.Sum())
            .Loss(LossAggregationKind.SequenceMeanTokenSum, ResponseMean(rowSums))
            .Loss(LossAggregationKind.TokenSum, (loss * mask).Sum());
        WeightMetrics(input, level, raw, weight, output);
        MismatchMetrics(input, difference, output);
        return output;
    }

    internal static void RequireTokens<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        if (input.Mask.Sum().Scalar == T.Zero)
        {
            throw new ProfileErrorException(
                KnownFaults.EmptyBatchRaises, "ValueError: response_mask must contain at least one valid token (1).");
        }
    }

    private static Traced<T> MaskedMean<T>(FrameworkInput<T> input, Traced<T> values)
        where T : struct, IBinaryFloatingPointIeee754<T> =>
        Traced<T>.Where(input.Mask, values, 0).Sum() / (input.Mask.Sum() + 1e-8);

    private void WeightMetrics<T>(
        FrameworkInput<T> input, Traced<T> level, Traced<T> raw, Traced<T> weight, FrameworkOutput<T> output)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> above = raw > input.Beta, below = raw < input.Alpha;
        output.Metric(Prefix + "rollout_is_mean", MaskedMean(input, weight));
        if (Sequence)
        {
            // The thresholds are float32 tensors, and so is the mean of flags.
            Traced<T> upper = (float)System.Math.Log((float)input.Beta);
            Traced<T> lower = (float)System.Math.Log((float)input.Alpha);
            output.Metric(Prefix + "rollout_is_ratio_fraction_high", (level > upper).Mean().Single());
            output.Metric(Prefix + "rollout_is_ratio_fraction_low", (level < lower).Mean().Single());
        }
        else
        {
            output.Metric(Prefix + "rollout_is_ratio_fraction_high", MaskedMean(input, above));
            output.Metric(Prefix + "rollout_is_ratio_fraction_low", MaskedMean(input, below));
        }

        Traced<T> limited = weight.Clamp(0, input.Beta), mean = MaskedMean(input, limited);
        Traced<T> variance = MaskedMean(input, limited.Square()) - mean.Square();
        bool several = input.Mask.Sum().Scalar > T.One;
        output.Metric(
            Prefix + "rollout_is_std", several ? variance.Clamp(0, double.PositiveInfinity).Map(T.Sqrt) : 0);
        Traced<T> normalised = MaskedMean(input, (limited / (mean + 1e-8)).Square());
        if (normalised.Scalar == T.Zero)
        {
            throw new ProfileErrorException(
                KnownFaults.EverythingMaskedRaises, "ZeroDivisionError: float division by zero");
        }

        output.Metric(Prefix + "rollout_is_eff_sample_size", 1 / double.CreateSaturating(normalised.Scalar));
        output.Metric(Prefix + "rollout_is_oob_ratio", MaskedMean(input, above | below));
    }

    private static void MismatchMetrics<T>(
        FrameworkInput<T> input, Traced<T> difference, FrameworkOutput<T> output)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> RowMean(Traced<T> values) =>
            Traced<T>.Where(input.Mask, values, 0).RowSum() / (input.Counts + 1e-8);
        output.Metric(Prefix + "kl", MaskedMean(input, input.Inference - input.Old));
        output.Metric(Prefix + "k3_kl", MaskedMean(input, difference.Exp() - difference - 1));
        output.Metric(
            Prefix + "log_ppl_abs_diff", (RowMean(input.Inference) - RowMean(input.Old)).Abs().Mean());
        output.Metric(
            Prefix + "chi2_token", MaskedMean(input, difference.Clamp(-20, 20).Exp().Square()) - 1);
    }
}

/// <summary>verl's rejection statistic token_k1: log α ≤ −Δ ≤ log β with Δ limited to ±20.</summary>
internal sealed record VerlRejection : IFrameworkLoss
{
    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        if (input.Alpha <= 0 || input.Beta <= 0)
        {
            throw new ProfileErrorException(
                KnownFaults.ZeroLowerBoundRaises,
                "ValueError: Thresholds for option 'token_k1' must be positive, got "
                + $"{PythonText.Float(input.Alpha)}_{PythonText.Float(input.Beta)}.");
        }

        Verl.RequireTokens(input);
        Traced<T> statistic = -(input.Old - input.Inference).Clamp(-20, 20);
        Traced<T> inside =
            (statistic >= System.Math.Log(input.Alpha)) & (statistic <= System.Math.Log(input.Beta));
        return new FrameworkOutput<T>(input) { Keep = input.Mask * inside };
    }
}
