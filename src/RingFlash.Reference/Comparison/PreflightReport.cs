using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Comparison;

/// <summary>What was looked at before any number is compared.</summary>
public sealed class PreflightReport
{
    /// <summary>The findings, in the order in which they were made.</summary>
    public required IReadOnlyList<PreflightFinding> Findings { get; init; }

    /// <summary>The weights that the candidate dumped; empty when it dumped none.</summary>
    public IReadOnlyList<WeightFinding> Weights { get; init; } = [];

    /// <summary>Whether nothing may be compared.</summary>
    public bool MustStop => Findings.Any(finding => finding.Severity == PreflightSeverity.Stop);

    /// <summary>Whether the comparison may end in a pass.</summary>
    public bool CanPass => Findings.All(finding => finding.Severity < PreflightSeverity.NoPass);

    /// <summary>The findings of which a reader must know, the worst first, one line each.</summary>
    public IReadOnlyList<string> Lines => [.. Findings
        .Where(finding => finding.Severity > PreflightSeverity.Fine)
        .OrderByDescending(finding => finding.Severity)
        .Select(finding => finding.Text)];
}
