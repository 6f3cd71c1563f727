using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>Two engines' log-probabilities of the same tokens, checked against each other and packed to what is
/// compared.</summary>
/// <remarks>
/// Compared are the valid tokens (mask 1) whose difference is finite. A valid token with NaN or ±∞ on either side is
/// counted,
/// and left out of every metric: a framework would log NaN or ∞ there. Nothing under a mask of 0 is read.
/// </remarks>
public sealed class MismatchInput
{
    private MismatchInput(LogProbabilityData train, LogProbabilityData infer, bool[] mask, List<string> warnings)
    {
        Train = train;
        Infer = infer;
        Mask = mask;
        Warnings = warnings;
        List<double> trainValues = [], inferValues = [];
        List<int> positions = [];
        int[] rowStarts = new int[train.Rollouts + 1];
        for (int row = 0; row < train.Rollouts; row++)
        {
            for (int column = 0; column < train.ResponseLength; column++)
            {
                int index = (row * train.ResponseLength) + column;
                if (!mask[index])
                {
                    continue;
                }

                ValidTokens++;
                double o = train.LogProbabilities[index], q = infer.LogProbabilities[index];
                if (!double.IsFinite(o) || !double.IsFinite(q) || !double.IsFinite(o - q))
                {
                    NonFinite++;
                    continue;
                }

                trainValues.Add(o);
                inferValues.Add(q);
                positions.Add(column);
            }

            rowStarts[row + 1] = positions.Count;
        }

        TrainValues = [.. trainValues];
        InferValues = [.. inferValues];
        Positions = [.. positions];
        RowStarts = rowStarts;
        Delta = [.. TrainValues.Zip(InferValues, (o, q) => o - q)];
    }

    /// <summary>The training engine's file.</summary>
    public LogProbabilityData Train { get; }

    /// <summary>The inference engine's file.</summary>
    public LogProbabilityData Infer { get; }

    /// <summary>What a reader of the numbers must know; each one line.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Tokens with mask 1.</summary>
    public int ValidTokens { get; }

    /// <summary>Valid tokens whose difference is NaN or infinite.</summary>
    public int NonFinite { get; }

    /// <summary>Rows, empty ones too.</summary>
    public int Rollouts => Train.Rollouts;

    internal bool[] Mask { get; }

    /// <summary>[compared tokens]: log π_train.</summary>
    internal double[] TrainValues { get; }

    /// <summary>[compared tokens]: log π_infer.</summary>
    internal double[] InferValues { get; }

    /// <summary>[compared tokens]: Δ = log π_train − log π_infer.</summary>
    internal double[] Delta { get; }

    /// <summary>[compared tokens]: the column, from 0.</summary>
    internal int[] Positions { get; }

    /// <summary>[rollouts + 1]: row i holds the compared tokens from RowStarts[i] up to RowStarts[i + 1].</summary>
    internal int[] RowStarts { get; }

    /// <summary>Checks two files against each other.</summary>
    /// <param name="train">The training engine's.</param>
    /// <param name="infer">The inference engine's.</param>
    /// <returns>What is compared.</returns>
    /// <exception cref="InvalidInputException">Shapes or masks differ, or nothing is left to compare.</exception>
    public static MismatchInput Create(LogProbabilityData train, LogProbabilityData infer)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(infer);
        if (train.Rollouts != infer.Rollouts || train.ResponseLength != infer.ResponseLength)
        {
            throw infer.Refuse(
                "log_probabilities", $"shape {infer.ShapeText} differs from {train.ShapeText} of {train.Source}");
        }

        List<string> warnings = [.. train.Warnings, .. infer.Warnings];
        bool[] mask = CommonMask(train, infer, warnings);
        if (!mask.Contains(true))
        {
            throw infer.Refuse(string.Empty, $"no valid token in common with {train.Source}: nothing to compare");
        }

        WarnOfPositive(train, mask, warnings);
        WarnOfPositive(infer, mask, warnings);
        CheckExperts(train, infer, warnings);
        MismatchInput input = new(train, infer, mask, warnings);
        if (input.NonFinite > 0)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{input.NonFinite} of {input.ValidTokens} valid tokens have a difference that is not finite; ")
                + "they are counted and left out of every metric, where a framework would log NaN or infinity");
        }

        return input;
    }

    private static bool[] CommonMask(LogProbabilityData train, LogProbabilityData infer, List<string> warnings)
    {
        if (train.Mask is null && infer.Mask is null)
        {
            warnings.Add("neither file has a mask: every position is taken for a valid token");
            return [.. Enumerable.Repeat(true, train.LogProbabilities.Length)];
        }

        if (train.Mask is not null && infer.Mask is not null)
        {
            for (int index = 0; index < train.Mask.Length; index++)
            {
                if (train.Mask[index] != infer.Mask[index])
                {
                    throw infer.Refuse($"mask {TokenPlace(train, index)}", $"differs from the mask of {train.Source}");
                }
            }
        }

        return train.Mask ?? infer.Mask!;
    }

    // Only differences enter the metrics, but a probability above one says that something else is wrong.
    private static void WarnOfPositive(LogProbabilityData data, bool[] mask, List<string> warnings)
    {
        int count = 0, first = -1;
        for (int index = 0; index < mask.Length; index++)
        {
            if (mask[index] && data.LogProbabilities[index] > 0)
            {
                first = count++ == 0 ? index : first;
            }
        }

        if (count > 0)
        {
            warnings.Add(InvalidInputException.Escape(string.Create(
                CultureInfo.InvariantCulture,
                $"{data.Source}: {count} valid log-probabilities are above 0, first {TokenPlace(data, first)}: ")
                + data.LogProbabilities[first].ToString("R", CultureInfo.InvariantCulture)));
        }
    }

    private static void CheckExperts(LogProbabilityData train, LogProbabilityData infer, List<string> warnings)
    {
        if (train.RoutedExperts is null != infer.RoutedExperts is null)
        {
            warnings.Add(InvalidInputException.Escape(
                $"only {(train.RoutedExperts is null ? infer : train).Source} has routed_experts: "
                + "routing is not compared"));
        }

        if (train.RoutedExperts is RoutedExpertChoices left && infer.RoutedExperts is RoutedExpertChoices right
            && (left.Layers != right.Layers || left.TopK != right.TopK))
        {
            throw infer.Refuse(
                "routed_experts",
                $"{right.Layers} layers of {right.TopK} experts, {left.Layers} of {left.TopK} in {train.Source}");
        }
    }

    private static string TokenPlace(LogProbabilityData data, int index) => string.Create(
        CultureInfo.InvariantCulture, $"rollout {index / data.ResponseLength}, token {index % data.ResponseLength}");
}
