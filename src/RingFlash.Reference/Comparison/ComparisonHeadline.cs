using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>The verdict in one sentence.</summary>
internal static class ComparisonHeadline
{
    private const int MostParts = 6;

    /// <summary>Writes it.</summary>
    /// <param name="report">The report.</param>
    /// <param name="ids">How the inputs differ; empty when they do not.</param>
    /// <returns>One line.</returns>
    public static string Of(ComparisonReport report, string ids)
    {
        ArgumentNullException.ThrowIfNull(report);
        string head = report.Outcome switch
        {
            ComparisonOutcome.Differs => "DIFFERS: " + Describe(report.FirstFault!),
            ComparisonOutcome.NotChecked when ids.Length > 0 => $"NOT CHECKED: {ids}; no number was compared",
            ComparisonOutcome.NotChecked => "NOT CHECKED: " + NothingCompared(report),
            ComparisonOutcome.Incomplete => "INCOMPLETE: what was compared agrees, but "
                + $"{Count(Gaps(report).Length, "tap is", "taps are")} missing, double or of other axes, the first "
                + $"{Gaps(report)[0]}; --allow-missing accepts that",
            _ => "AGREES: " + Agreement(report),
        };
        return head + Left(report);
    }

    private static string[] Gaps(ComparisonReport report) =>
        [.. report.Missing, .. report.Doubles, .. report.Misfits];

    private static string Describe(FirstFault fault)
    {
        string where = fault.Layer is null ? string.Empty : $"layer {fault.Layer}, ";
        string culprit = fault.Operators.Count == 1
            ? fault.Operators[0]
            : "one of " + string.Join(", ", fault.Operators);
        string values = fault.Worst is not { } worst ? string.Empty
            : $" token {worst.Token}, {worst.Index}: candidate {TapComparison.Number(worst.Candidate)}, reference "
                + TapComparison.Number(worst.Reference);
        string by = double.IsFinite(fault.OverBudget)
            ? string.Create(CultureInfo.InvariantCulture, $", {fault.OverBudget:G3} × the budget")
            : ", beyond any budget";
        string looks = fault.Recognised.Length == 0 ? string.Empty : $"; {fault.Recognised}";
        return $"{where}{string.Join(" or ", fault.Blocks)}: {culprit} at {fault.Tap},{values}{by}{looks}; reference "
            + $"code: {fault.SourceFile}";
    }

    private static string Agreement(ComparisonReport report)
    {
        if (report.Isolated.Count == 0 && report.Routers.Count == 0)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Drift.Count} taps with {report.Drift.Sum(point => point.Distance.Compared)} stored values "
                + $"drift no further than correct {report.Precision} runs may; no operator was checked by itself");
        }

        TapFinding? worst = report.Isolated.Where(finding => finding.Verdict == Verdict.Passed)
            .MaxBy(finding => finding.OverBudget);
        long values = report.Isolated.Sum(finding => finding.Distance.Compared);
        int near = report.Routers.Sum(finding => finding.NearTies);
        string ties = near == 0 ? string.Empty : $", {Count(near, "near tie", "near ties")} of the router";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Isolated.Count} taps with {values} values are within the noise of correct {report.Precision} "
            + $"computations, {worst?.OverBudget ?? 0:G2} of the budget at most ({worst?.Tap}){ties}");
    }

    private static string NothingCompared(ComparisonReport report) =>
        report.Isolated.Count > 0 ? "only embeddings or rotary tables were compared, which a broken model has right too"
        : report.Unmapped.Count > 0 ? $"none of {Count(report.Unmapped.Count, "name", "names")} is known to the map, "
            + $"e.g. {report.Unmapped[0]}"
        : "the candidate holds nothing that can be compared";

    private static string Left(ComparisonReport report)
    {
        List<string> parts = [];
        string[] unseen = [.. report.Unseen.Select(Part).Distinct()];
        if (report.Outcome is ComparisonOutcome.Agrees or ComparisonOutcome.Incomplete && unseen.Length > 0)
        {
            string more = unseen.Length > MostParts ? $" … ({unseen.Length} parts)" : string.Empty;
            parts.Add($"no tap shows {string.Join(", ", unseen.Take(MostParts))}{more}");
        }

        if (report.NotCompared.Count > 0)
        {
            parts.Add($"not compared: {Count(report.NotCompared.Count, "tap", "taps")}");
        }

        if (report.Unmapped.Count > 0)
        {
            parts.Add($"unknown: {Count(report.Unmapped.Count, "name", "names")}");
        }

        return parts.Count == 0 ? string.Empty : "; " + string.Join("; ", parts);
    }

    // A layer whose output shows nowhere is named as a whole.
    private static string Part(string name)
    {
        string[] parts = name.Split('.', 4);
        return parts is ["model", "layers", string layer, string kind]
            ? kind is "output" ? $"layer {layer}" : kind
            : name == DataFlow.Logits ? "the head"
            : name == DataFlow.FinalNorm ? "the final norm"
            : name;
    }

    private static string Count(int count, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many)}");
}
