using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Puts a diagnosis into one sentence.</summary>
internal static class DiagnosisHeadline
{
    /// <summary>The sentence.</summary>
    /// <param name="report">The report.</param>
    /// <returns>One line.</returns>
    public static string Of(DiagnosisReport report) => report.Outcome switch
    {
        DiagnosisOutcome.NoMistake => $"no mistake: {Way(report)}",
        DiagnosisOutcome.NotChecked => "nothing was compared: " + report.Comparison.Headline,
        DiagnosisOutcome.NotExplained =>
            $"no known mistake explains {report.NotExplained[0]}, the first that is wrong",
        _ => string.Join("; and ", report.Findings.Select((finding, index) => Sentence(finding, index == 0)))
            + (report.NotExplained.Count > 0
                ? $"; {report.NotExplained[0]} stays unexplained"
                : string.Empty),
    };

    /// <summary>Mistakes in words.</summary>
    /// <param name="mistakes">One, or two in one block.</param>
    /// <returns>The words.</returns>
    public static string Words(IReadOnlyList<NamedMistake> mistakes) =>
        string.Join(" and ", mistakes.Select(mistake => mistake.Words));

    private static string Sentence(DiagnosisFinding finding, bool isFirst)
    {
        string start = isFirst ? "your output equals the reference with " : "with ";
        string others = finding.NotToldApart.Count == 0
            ? string.Empty
            : FormattableString.Invariant($", or {finding.NotToldApart.Count} more that these taps cannot tell apart");
        string seen = string.Join("; ", finding.Mistakes.Select(mistake => mistake.Mistake.SeenIn)
            .Where(text => text.Length > 0));
        return FormattableString.Invariant(
            $"{start}{Words(finding.Mistakes)} ({finding.Where}; {finding.OverBudget:0.##} of the budget{others})")
            + (seen.Length > 0 ? $"; seen in {seen}" : string.Empty);
    }

    private static string Way(DiagnosisReport report)
    {
        string[] nearest = [.. report.Comparison.Isolated
            .Where(finding => finding.NearestVariant.Length > 0 && finding.Distance.L2Relative > 0)
            .GroupBy(finding => finding.NearestVariant)
            .OrderByDescending(group => group.Count())
            .Select(group => group.Key)];
        return nearest.Length == 0 ? "the same bits"
            : report.Comparison.Precision == "float32" ? "other sum order"
            : nearest[0].Contains("dynamically", StringComparison.Ordinal)
                ? "published FP8 with dynamic activations"
            : report.Comparison.Precision;
    }
}
