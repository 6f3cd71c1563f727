using System;
using System.Collections.Generic;
using System.Text.Json.Serialization;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>What became of the tokens of a batch, and how far the two engines are apart.</summary>
/// <param name="ValidTokens">Response tokens.</param>
/// <param name="KeptTokens">Those that train.</param>
/// <param name="NonFiniteLogRatio">Dropped because the log-ratio or the ratio is not finite.</param>
/// <param name="MaskedLow">Dropped below the band.</param>
/// <param name="MaskedHigh">Dropped above it.</param>
/// <param name="DroppedOtherwise">Dropped by a rule without a direction.</param>
/// <param name="ClipFraction">All dropped tokens over valid tokens; 0 without any.</param>
/// <param name="MeanAbsoluteDifference">Mean |Δ| over valid tokens with a finite Δ.</param>
/// <param name="MaximumAbsoluteDifference">Largest |Δ| over the same.</param>
/// <param name="K1InferenceTraining">Mean of −Δ over the same: the k1 estimate of KL(inference ‖ training).</param>
/// <param name="K3InferenceTraining">Mean of e^Δ − Δ − 1 over the same: its k3 estimate; may overflow to ∞.</param>
/// <param name="EffectiveSampleFraction">(Σw)²/(N·Σw²) over valid tokens; 0 when every weight is 0.</param>
/// <param name="PolicyClipFraction">Kept tokens whose policy ratio is clipped, over valid tokens.</param>
public sealed record ObjectiveMetrics(
    [property: JsonPropertyName("valid_tokens")] long ValidTokens,
    [property: JsonPropertyName("kept_tokens")] long KeptTokens,
    [property: JsonPropertyName("nonfinite_log_ratio")] long NonFiniteLogRatio,
    [property: JsonPropertyName("masked_low")] long MaskedLow,
    [property: JsonPropertyName("masked_high")] long MaskedHigh,
    [property: JsonPropertyName("dropped_otherwise")] long DroppedOtherwise,
    [property: JsonPropertyName("clip_fraction")] double ClipFraction,
    [property: JsonPropertyName("mean_abs_logp_diff")] double MeanAbsoluteDifference,
    [property: JsonPropertyName("max_abs_logp_diff")] double MaximumAbsoluteDifference,
    [property: JsonPropertyName("k1_infer_train")] double K1InferenceTraining,
    [property: JsonPropertyName("k3_infer_train")] double K3InferenceTraining,
    [property: JsonPropertyName("ess_fraction")] double EffectiveSampleFraction,
    [property: JsonPropertyName("ppo_clip_fraction")] double PolicyClipFraction)
{
    /// <summary>Measures; sums run over a row first and then over the sorted rows, so row order changes no
    /// bit.</summary>
    internal static ObjectiveMetrics Measure(
        int rollouts,
        int responseLength,
        ReadOnlySpan<double> logRatios,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<TokenDecision> decisions,
        ReadOnlySpan<byte> clipped)
    {
        long[] counts = new long[6];
        long policyClipped = 0, finite = 0;
        double largest = 0, largestWeight = 0;
        foreach (double weight in weights)
        {
            largestWeight = double.IsFinite(weight) && weight > largestWeight ? weight : largestWeight;
        }

        RowTotals absolute = new(rollouts, responseLength), k1 = new(rollouts, responseLength);
        RowTotals k3 = new(rollouts, responseLength);
        RowTotals sum = new(rollouts, responseLength), squares = new(rollouts, responseLength);
        for (int row = 0; row < rollouts; row++)
        {
            for (int t = 0; t < responseLength; t++)
            {
                int index = (row * responseLength) + t;
                TokenDecision decision = decisions[index];
                counts[(int)decision]++;
                policyClipped += clipped[index];

                // Scaled by the largest weight, so that squares neither overflow nor vanish.
                double scaled = largestWeight > 0 ? weights[index] / largestWeight : 0;
                sum.Add(scaled);
                squares.Add(scaled * scaled);
                double difference = logRatios[index];
                if (decision != TokenDecision.Padding && double.IsFinite(difference))
                {
                    finite++;
                    largest = Math.Max(largest, Math.Abs(difference));
                    absolute.Add(Math.Abs(difference));
                    k1.Add(-difference);
                    k3.Add(KullbackLeiblerEstimator.ExponentialRemainder(difference));
                }
            }

            absolute.Close();
            k1.Close();
            k3.Close();
            sum.Close();
            squares.Close();
        }

        long padding = counts[(int)TokenDecision.Padding], kept = counts[(int)TokenDecision.Kept];
        long valid = decisions.Length - padding;
        double weightSum = sum.Total(), squareSum = squares.Total();
        double Share(double part, long whole) => whole == 0 ? 0 : part / whole;
        return new ObjectiveMetrics(
            valid,
            kept,
            counts[(int)TokenDecision.NonFinite],
            counts[(int)TokenDecision.MaskedLow],
            counts[(int)TokenDecision.MaskedHigh],
            counts[(int)TokenDecision.Dropped],
            Share(valid - kept, valid),
            Share(absolute.Total(), finite),
            largest,
            Share(k1.Total(), finite),
            Share(k3.Total(), finite),
            squareSum > 0 ? weightSum * weightSum / (valid * squareSum) : double.IsNaN(squareSum) ? double.NaN : 0,
            Share(policyClipped, valid));
    }

    private sealed class RowTotals(int rollouts, int responseLength)
    {
        private readonly List<double> open = new(responseLength);
        private readonly List<double> closed = new(rollouts);

        public void Add(double value) => open.Add(value);

        public void Close()
        {
            closed.Add(CompensatedSum.Of(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(open)));
            open.Clear();
        }

        public double Total()
        {
            closed.Sort();
            return CompensatedSum.Of(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(closed));
        }
    }
}
