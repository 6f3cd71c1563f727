using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <content>Putting the findings together.</content>
public sealed partial class CandidateComparer
{
    private ComparisonReport Report(Coverage coverage, string ids)
    {
        FirstFault? first = reference.Flow.Nodes
            .Select(node => faults.GetValueOrDefault(node.Name))
            .FirstOrDefault(fault => fault is not null);
        HashSet<string> seen = options.Isolated
            ? [.. isolated.Select(finding => finding.Tap), .. routers.Select(Choice)]
            : [.. drift.Select(point => point.Tap)];
        string[] notCompared =
        [
            .. coverage.Unknown.Select(name => $"{name}: not part of the main model's pass"),
            .. isolated.Where(finding => finding.Verdict == Verdict.NotChecked)
                .Select(finding => $"{finding.Tap}: {finding.Note}"),
            .. candidate.Taps.Keys
                .Where(name => ids.Length == 0 && reference.Flow.Find(name) is not null && !seen.Contains(name))
                .Order(StringComparer.Ordinal)
                .Select(name => $"{name}: {WhyNot(name)}"),
            .. candidate.Misfits,
        ];
        bool isChecked = isolated.Exists(finding => finding.Verdict != Verdict.NotChecked && Tells(finding.Tap))
            || (!options.Isolated && drift.Exists(point => Tells(point.Tap)))
            || routers.Exists(finding => finding.Verdict != Verdict.NotChecked);
        bool isIncomplete = !options.AllowMissing
            && (coverage.Missing.Count > 0 || candidate.Doubles.Count > 0 || candidate.Misfits.Count > 0);
        ComparisonOutcome outcome = ids.Length > 0 ? ComparisonOutcome.NotChecked
            : first is not null ? ComparisonOutcome.Differs
            : !isChecked ? ComparisonOutcome.NotChecked
            : isIncomplete ? ComparisonOutcome.Incomplete
            : ComparisonOutcome.Agrees;
        ComparisonReport report = new()
        {
            Reference = reference.Description,
            Candidate = candidate.Description,
            Precision = precision,
            PrecisionReason = reason,
            Outcome = outcome,
            Headline = string.Empty,
            FirstFault = first is null ? null : Narrowed(first),
            Isolated = isolated,
            Drift = drift,
            Variants = names,
            Routers = routers,
            Logits = logits,
            Preflight = ids.Length > 0 && options.Preflight.Count == 0 ? [ids] : options.Preflight,
            Missing = coverage.Missing,
            NotDumped = coverage.NotDumped,
            Unmapped = candidate.Unmapped,
            Doubles = candidate.Doubles,
            Misfits = candidate.Misfits,
            NotCompared = notCompared,
            Unseen = Unseen(),
            Notes = candidate.Notes,
        };
        return report with { Headline = ComparisonHeadline.Of(report, ids) };
    }

    // Everything that no compared tap depends on, however far back.
    private string[] Unseen()
    {
        HashSet<string> seen = [];
        IEnumerable<string> compared = isolated.Where(finding => finding.Verdict != Verdict.NotChecked)
            .Select(finding => finding.Tap)
            .Concat(routers.Where(finding => finding.Verdict != Verdict.NotChecked).Select(Choice))
            .Concat(options.Isolated ? [] : drift.Select(point => point.Tap));
        foreach (string tap in compared)
        {
            seen.UnionWith(reference.Flow.SegmentOf(tap, seen.Contains).Nodes.Select(node => node.Name));
        }

        // Attention weights are a side branch: the context shows whether they are right.
        return [.. reference.Flow.Nodes.Select(node => node.Name)
            .Where(name => !seen.Contains(name) && !name.EndsWith(".attention.weights", StringComparison.Ordinal))];
    }

    private static string Choice(RouterFinding finding) => finding.Id.Split('/', 3)[2];

    // Embeddings are copies, rotary tables depend on positions alone: a broken model has them right.
    private static bool Tells(string tap) =>
        tap != DataFlow.Embeddings && !tap.Contains(".rotary_emb.", StringComparison.Ordinal);

    private string WhyNot(string name) =>
        options.Isolated ? "weights say nothing without the experts of topk_idx"
        : name.Contains(".gate.topk_", StringComparison.Ordinal) ? "choices are compared in the mode isolated"
        : "the golden case does not hold it, or holds other rows";

    // What a wrong tap shares with a tap that is right on the candidate's own inputs is right too.
    private FirstFault Narrowed(FirstFault fault)
    {
        HashSet<string> right = [.. isolated
            .Where(finding => finding.Verdict == Verdict.Passed)
            .SelectMany(finding => reference.Flow.SegmentOf(finding.Tap, Holds).Nodes)
            .Select(node => node.Name)];
        DataFlowNode[] suspects = [.. reference.Flow.SegmentOf(fault.Tap, Holds).Nodes
            .Where(node => node.Name == fault.Tap || !right.Contains(node.Name))];
        return fault with
        {
            Blocks = [.. suspects.Select(node => node.Block).Distinct()],
            Operators = [.. suspects.SelectMany(node => node.Operators).Distinct()],
        };
    }
}
