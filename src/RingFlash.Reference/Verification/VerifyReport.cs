using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Verification;

/// <summary>How a golden case is run.</summary>
public enum VerifyMode
{
    /// <summary>
    /// Every operator is fed the reference's own input: errors do not add up, a wrong operator stands alone.
    /// </summary>
    Isolated,

    /// <summary>
    /// The model runs from the token ids and every operator is fed our own results: the drift of the whole.
    /// </summary>
    Free,
}

/// <summary>What became of a tap, a layer's routing, or a case.</summary>
public enum Verdict
{
    /// <summary>Compared, within budget.</summary>
    Passed,

    /// <summary>Compared, over budget.</summary>
    Failed,

    /// <summary>Not compared; the note says why. Never counts as a pass.</summary>
    NotChecked,
}

/// <summary>The element of a tap that is furthest over (or nearest to) its budget.</summary>
/// <param name="Index">Its place, e.g. <c>[0, 3, 17]</c> in the axes of the tap.</param>
/// <param name="Token">The token (row of batch · tokens), or −1 where the tap has none.</param>
/// <param name="Ours">Our value.</param>
/// <param name="Golden">The reference's value.</param>
public sealed record WorstElement(string Index, int Token, double Ours, double Golden);

/// <summary>One tap of a case, compared.</summary>
public sealed record TapResult
{
    /// <summary>The tap's name, e.g. <c>model.layers.0.attention.dense.output</c>.</summary>
    public required string Tap { get; init; }

    /// <summary>The operator that made it, e.g. <c>LinearProjection</c>.</summary>
    public required string Operator { get; init; }

    /// <summary>
    /// The operators since the last value that came from the reference, oldest first; one when isolated tightly.
    /// </summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>The number of elements compared.</summary>
    public required long Compared { get; init; }

    /// <summary>Elements left out because they lie behind a near tie of the router.</summary>
    public long BehindNearTie { get; init; }

    /// <summary>max |ours − golden|.</summary>
    public double MaxAbsolute { get; init; }

    /// <summary>max |ours − golden| / max |golden|.</summary>
    public double MaxRelative { get; init; }

    /// <summary>‖ours − golden‖₂ / ‖golden‖₂, in float64.</summary>
    public double L2Relative { get; init; }

    /// <summary>The largest distance in units in the last place of the tap's type.</summary>
    public long MaxUlps { get; init; }

    /// <summary>
    /// The largest |ours − golden| / (u · gauge), u of the tap's type; null where no gauge is defined.
    /// </summary>
    public double? MaxUnits { get; init; }

    /// <summary>The budget for <see cref="MaxRelative"/>.</summary>
    public double MaxRelativeBudget { get; init; }

    /// <summary>The budget for <see cref="L2Relative"/>.</summary>
    public double L2Budget { get; init; }

    /// <summary>The budget for <see cref="MaxUnits"/>; null where the path is longer than one operator.</summary>
    public double? UnitsBudget { get; init; }

    /// <summary>The largest of error ÷ budget over the budgets that apply; above 1 is a failure.</summary>
    public double OverBudget { get; init; }

    /// <summary>The worst element.</summary>
    public WorstElement? Worst { get; init; }

    /// <summary>The verdict.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>What a number cannot say: why it was not compared, or which non-finite values differ.</summary>
    public string Note { get; init; } = string.Empty;
}

/// <summary>The routing decisions of one layer, compared.</summary>
public sealed record RoutingResult
{
    /// <summary>The router's name, e.g. <c>model.layers.1.mlp.gate</c>.</summary>
    public required string Gate { get; init; }

    /// <summary>Tokens compared.</summary>
    public required int Tokens { get; init; }

    /// <summary>Tokens whose set of experts is the reference's.</summary>
    public required int SameExperts { get; init; }

    /// <summary>Tokens whose experts come in the reference's order.</summary>
    public required int SameOrder { get; init; }

    /// <summary>Tokens whose experts lie in the reference's groups.</summary>
    public required int SameGroups { get; init; }

    /// <summary>
    /// Tokens with other experts where the reference's margin is below the error that reached the router.
    /// </summary>
    public required int NearTies { get; init; }

    /// <summary>Tokens with other experts where it is not: errors.</summary>
    public required int Wrong { get; init; }

    /// <summary>Tokens left out because an earlier near tie had changed them.</summary>
    public int BehindNearTie { get; init; }

    /// <summary>The smallest margin of the reference over the layer's tokens; null when the case holds none.</summary>
    public double? SmallestMargin { get; init; }

    /// <summary>The largest difference of a biased score from the reference's, over the tokens.</summary>
    public double ScoreError { get; init; }

    /// <summary>The verdict: failed when any token is wrong.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Which token differs and how, when one does.</summary>
    public string Note { get; init; } = string.Empty;
}

/// <summary>One case, run on one engine in one mode.</summary>
public sealed record CaseResult
{
    /// <summary>The case's name.</summary>
    public required string Case { get; init; }

    /// <summary>The folder it was read from.</summary>
    public required string Folder { get; init; }

    /// <summary><c>model</c>, <c>rope-tables</c> or <c>fp8-gemm</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The engine's word; <c>host</c> for tables that no engine computes.</summary>
    public required string Engine { get; init; }

    /// <summary>The mode.</summary>
    public required VerifyMode Mode { get; init; }

    /// <summary>The precision policy.</summary>
    public required string Precision { get; init; }

    /// <summary>The taps in the order they came.</summary>
    public required IReadOnlyList<TapResult> Taps { get; init; }

    /// <summary>The routers in the order they came.</summary>
    public required IReadOnlyList<RoutingResult> Routing { get; init; }

    /// <summary>Tensors of the case that nothing was compared with, by name.</summary>
    public required IReadOnlyList<string> NotCompared { get; init; }

    /// <summary>What a reader should know: the rotary settings in force, ulp-by-ulp explanations, warnings.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why the case was not checked at all; empty when it was.</summary>
    public string NotCheckedReason { get; init; } = string.Empty;

    /// <summary>Wall time of the case.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>The share of <see cref="Elapsed"/> spent making or reading weights, 0 … 1.</summary>
    public double WeightShare { get; init; }

    /// <summary>The share spent in the model's operators besides.</summary>
    public double ModelShare { get; init; }

    /// <summary>The share spent comparing.</summary>
    public double CompareShare { get; init; }

    /// <summary>
    /// The first failed tap or router in the order of computation, in one line; empty when none failed.
    /// </summary>
    public string FirstFailure { get; init; } = string.Empty;

    /// <summary>
    /// Failed if anything is over budget, or if nothing at all was compared in a case that should be; not checked when
    /// the case's kind is not supported.
    /// </summary>
    public Verdict Verdict =>
        NotCheckedReason.Length > 0 ? Verdict.NotChecked
        : FirstFailure.Length > 0 || Compared == 0 ? Verdict.Failed
        : Verdict.Passed;

    /// <summary>The number of elements compared.</summary>
    public long Compared => Taps.Sum(tap => tap.Compared) + Routing.Sum(router => (long)router.Tokens);
}

/// <summary>Everything that one <c>verify</c> did.</summary>
/// <param name="Cases">The runs.</param>
/// <param name="Elapsed">Wall time.</param>
/// <param name="PeakMemoryBytes">The process's peak working set.</param>
/// <param name="ThreadCount">Worker threads.</param>
public sealed record VerifyReport(
    IReadOnlyList<CaseResult> Cases, TimeSpan Elapsed, long PeakMemoryBytes, int ThreadCount)
{
    /// <summary>Runs within budget.</summary>
    public int Passed => Cases.Count(run => run.Verdict == Verdict.Passed);

    /// <summary>Runs over budget.</summary>
    public int Failed => Cases.Count(run => run.Verdict == Verdict.Failed);

    /// <summary>Runs that were not checked.</summary>
    public int NotChecked => Cases.Count(run => run.Verdict == Verdict.NotChecked);

    /// <summary>
    /// The first line of the verdict: the first operator over budget, isolated runs before free ones because they tell
    /// the culprit from its victims; or how much was compared.
    /// </summary>
    public string Headline
    {
        get
        {
            CaseResult? culprit =
                Cases.Where(run => run.Verdict == Verdict.Failed).OrderBy(run => run.Mode).FirstOrDefault();
            if (culprit is not null)
            {
                string what = culprit.FirstFailure.Length > 0 ? culprit.FirstFailure : "nothing was compared";
                return $"FAILED {culprit.Case} ({culprit.Engine}, {ModeWord(culprit.Mode)}): {what}";
            }

            long compared = Cases.Sum(run => run.Compared);
            return compared == 0
                ? "NOT CHECKED: nothing was compared"
                : $"PASSED: {compared:N0} values within budget in {Passed} runs; {NotChecked} not checked";
        }
    }

    /// <summary>0 all within budget · 1 over budget, or nothing compared.</summary>
    public int ExitCode => Failed > 0 || Passed == 0 ? 1 : 0;

    /// <summary>The word for a mode.</summary>
    /// <param name="mode">The mode.</param>
    /// <returns><c>isolated</c> or <c>free</c>.</returns>
    public static string ModeWord(VerifyMode mode) => mode == VerifyMode.Isolated ? "isolated" : "free";
}
