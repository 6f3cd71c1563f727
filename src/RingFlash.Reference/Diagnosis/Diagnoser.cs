using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Diagnosis;

/// <summary>
/// Finds out which known mistake makes the reference compute what a candidate computed. How is on this folder's page.
/// </summary>
public sealed class Diagnoser
{
    /// <summary>More findings than this are no diagnosis.</summary>
    private const int MostFindings = 6;

    private readonly TwinRuns runs;
    private readonly TwinSearch search;
    private readonly IReadOnlyList<TwinTap> plain;
    private readonly CancellationToken cancellation;
    private readonly Action<string> report;

    private Diagnoser(
        TwinRuns runs, TwinSearch search, IReadOnlyList<TwinTap> plain, Action<string> report, CancellationToken cancellation)
    {
        this.runs = runs;
        this.search = search;
        this.plain = plain;
        this.report = report;
        this.cancellation = cancellation;
    }

    /// <summary>Diagnoses.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="candidate">The candidate.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told a step in words and the share that is done; or null.</param>
    /// <param name="cancellation">Stops between twins.</param>
    /// <returns>The report.</returns>
    /// <exception cref="InvalidInputException">A tap has other axes than the reference's.</exception>
    public static DiagnosisReport Run(
        ComparisonReference reference,
        Candidate candidate,
        DiagnosisOptions options,
        IProgress<(string Step, double Fraction)>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentNullException.ThrowIfNull(options);
        long start = Stopwatch.GetTimestamp();
        ComparisonReport comparison = CandidateComparer.Run(
            reference,
            candidate,
            new ComparisonOptions
            {
                Precision = options.Precision,
                Free = false,
                AllowMissing = true,
                ThreadCount = options.ThreadCount,
                Preflight = options.Preflight,
            },
            null,
            cancellation);
        using WorkerPool workers = new(options.ThreadCount);
        TwinRuns runs = new(reference, candidate, comparison.Precision, workers) { Own = NearestWay(comparison) };
        TwinSearch search = new(runs, options, cancellation);
        IReadOnlyList<TwinTap> plain = Plain(comparison);
        int steps = 0;
        Diagnoser diagnoser = new(
            runs,
            search,
            plain,
            step => progress?.Report((step, 1 - (1.0 / (1 + (++steps / 4.0))))),
            cancellation);
        DiagnosisReport found = comparison.Outcome == ComparisonOutcome.NotChecked
            ? new DiagnosisReport
            {
                Outcome = DiagnosisOutcome.NotChecked, Headline = string.Empty, Comparison = comparison,
            }
            : diagnoser.Diagnose(comparison);
        found = found with { Elapsed = Stopwatch.GetElapsedTime(start) };
        return found with { Headline = DiagnosisHeadline.Of(found) };
    }

    // Twins are computed in the way that the candidate's right taps were: bfloat16 leaves the rounding points open.
    private static LegalVariant? NearestWay(ComparisonReport comparison)
    {
        string? name = comparison.Precision == "float32" ? null : comparison.Isolated
            .Where(finding => finding.Verdict == Verdict.Passed && finding.NearestVariant.Length > 0)
            .Where(finding => finding.Tap != DataFlow.Embeddings)
            .GroupBy(finding => finding.NearestVariant)
            .OrderByDescending(group => group.Count())
            .FirstOrDefault()?.Key;
        return comparison.Precision == "float32" ? null
            : LegalVariant.For(comparison.Precision).FirstOrDefault(way => way.Name == name)
                ?? LegalVariant.For(comparison.Precision)[0];
    }

    private static List<TwinTap> Plain(ComparisonReport comparison) =>
    [
        .. comparison.Isolated.Select(finding => new TwinTap(
            finding.Tap,
            finding.Layer,
            finding.Verdict != Verdict.NotChecked,
            finding.OverBudget,
            Math.Min(finding.Distance.L2Relative, finding.NearestL2Relative))),
        .. comparison.Routers.Select(finding => new TwinTap(
            finding.Id.Split('/', 3)[2],
            finding.Layer,
            finding.Tokens > 0,
            finding.Verdict == Verdict.Failed ? double.PositiveInfinity : 0,
            (double)finding.Wrong / Math.Max(1, finding.Tokens))),
    ];

    private DiagnosisReport Diagnose(ComparisonReport comparison)
    {
        List<TwinTap> open = [.. plain.Where(tap => tap.Compared && !tap.Agrees).OrderBy(tap => search.OrderOf(tap.Tap))];
        if (open.Count == 0)
        {
            (string[] excluded, string[] notShown) = search.Exclude(plain);
            return new DiagnosisReport
            {
                Outcome = DiagnosisOutcome.NoMistake,
                Headline = string.Empty,
                Comparison = comparison,
                Excluded = excluded,
                NotShown = notShown,
                TwinsRun = search.TwinsRun,
            };
        }

        List<DiagnosisFinding> findings = [];
        List<IReadOnlyList<Suspect>> made = [];
        List<string> notExplained = [];
        IReadOnlyList<DiagnosisHint> hints = [];
        while (open.Count > 0 && findings.Count < MostFindings)
        {
            cancellation.ThrowIfCancellationRequested();
            report($"looking for what explains {open[0].Tap}");
            SearchResult result = search.For(open[0].Tap, plain, made, pairs: notExplained.Count == 0);
            if (result.Fits.Count == 0)
            {
                hints = hints.Count == 0 ? result.Hints : hints;
                notExplained.Add(open[0].Tap);
                open.RemoveAt(0);
                if (notExplained.Count == 1 && findings.Count == 0)
                {
                    // What is wrong first is not known; what follows may still be known, but it is not the first.
                    int part = runs.PartOf(notExplained[0]);
                    open.RemoveAll(tap => runs.PartOf(tap.Tap) > part);
                }

                if (notExplained.Count > 1)
                {
                    break;
                }

                continue;
            }

            DiagnosisFinding finding = Confirm(result, open, made);
            findings.Add(finding);
            made.Add([.. result.Fits[0].Mistakes]);
            open.RemoveAll(tap => finding.Explains.Contains(tap.Tap));
        }

        notExplained.AddRange(open.Select(tap => tap.Tap));
        return new DiagnosisReport
        {
            Outcome = findings.Count == 0 ? DiagnosisOutcome.NotExplained
                : notExplained.Count == 0 ? DiagnosisOutcome.Explained
                : DiagnosisOutcome.PartlyExplained,
            Headline = string.Empty,
            Comparison = comparison,
            Findings = findings,
            NotExplained = notExplained,
            Hints = hints,
            Excluded = search.Excluded,
            NotShown = search.NotShown,
            TwinsRun = search.TwinsRun,
            PairsRun = search.PairsRun,
        };
    }

    // Looks at every other part: where the same mistakes explain what is wrong there, and where they are not made.
    private DiagnosisFinding Confirm(SearchResult result, List<TwinTap> open, List<IReadOnlyList<Suspect>> made)
    {
        List<Fit> alive = [.. result.Fits.Take(MostFindings)];
        Dictionary<Fit, List<TwinTap>> explained = alive.ToDictionary(fit => fit, _ => new List<TwinTap>());
        List<int> here = [], notHere = [];
        HashSet<int> ends = [];
        string prefix = open[0].Tap;
        foreach (int part in Enumerable.Range(0, runs.PartCount))
        {
            cancellation.ThrowIfCancellationRequested();
            int first = runs.StartFor(part);
            TwinTap[] before = [.. plain.Where(tap => tap.Compared && runs.PartOf(tap.Tap) == part)];
            if (before.Length == 0)
            {
                continue;
            }

            report(FormattableString.Invariant($"does it explain part {part + 1} of {runs.PartCount}"));
            HashSet<string> wrong = [.. open.Where(tap => runs.PartOf(tap.Tap) == part).Select(tap => tap.Tap)];
            if (wrong.Count == 0 && before.Any(tap => !tap.Agrees))
            {
                continue; // explained before
            }

            bool any = false, refuted = false;
            foreach (Fit fit in alive.ToArray())
            {
                TwinTap[] after = search.Best(fit.Mistakes, made, first, part, wrong);
                TwinTap[] fixedNow = [.. after.Where(tap => wrong.Contains(tap.Tap) && tap.Compared && tap.Agrees)];
                if (fixedNow.Length > 0)
                {
                    explained[fit].AddRange(fixedNow);
                    any = true;
                }
                else if (wrong.Count == 0 && after.Any(tap => tap.Compared && !tap.Agrees && runs.PartOf(tap.Tap) == part))
                {
                    refuted = true;
                }
            }

            if (any)
            {
                here.Add(part);
            }
            else if (refuted && wrong.Count == 0)
            {
                notHere.Add(part);
            }
        }

        _ = (ends, prefix);
        Fit[] ranked = [.. alive
            .OrderByDescending(fit => explained[fit].Count)
            .ThenBy(fit => fit.Mistakes.Count)
            .ThenBy(fit => Quality(explained[fit]) <= TwinSearch.Alike(Quality(explained[alive[0]])) ? 0 : 1)];
        int most = explained[ranked[0]].Count;
        double best = ranked.Where(fit => explained[fit].Count == most).Min(fit => Quality(explained[fit]));
        Fit[] alike = [.. ranked.Where(fit => explained[fit].Count == most
            && Quality(explained[fit]) <= TwinSearch.Alike(best))];
        Fit first0 = alike[0];
        result.Fits.Remove(first0);
        result.Fits.Insert(0, first0);
        string[] taps = [.. explained[first0].Select(tap => tap.Tap).Distinct()];
        return new DiagnosisFinding
        {
            Mistakes = first0.Named,
            NotToldApart = [.. alike.Skip(1).Select(fit => fit.Named)],
            LessLikely = [.. ranked.Where(fit => !alike.Contains(fit)).Select(fit => fit.Named)],
            Where = Places(here),
            NotMadeIn = Places(notHere),
            Explains = taps,
            OverBudget = explained[first0].Max(tap => tap.OverBudget),
            WithoutIt = plain.Where(tap => taps.Contains(tap.Tap)).Max(tap => tap.OverBudget),
        };
    }

    private static double Quality(List<TwinTap> taps) =>
        taps.Count == 0 ? double.PositiveInfinity : Math.Sqrt(taps.Average(tap => tap.Distance * tap.Distance));

    private string Places(List<int> parts)
    {
        List<string> words = [];
        if (parts.Contains(0))
        {
            words.Add("embedding");
        }

        int[] layers = [.. parts.Where(part => part > 0 && part < runs.PartCount - 1).Select(part => part - 1)];
        for (int index = 0; index < layers.Length; index++)
        {
            int first = layers[index];
            while (index + 1 < layers.Length && layers[index + 1] == layers[index] + 1)
            {
                index++;
            }

            words.Add(first == layers[index]
                ? FormattableString.Invariant($"layer {first}")
                : FormattableString.Invariant($"layers {first}–{layers[index]}"));
        }

        if (parts.Contains(runs.PartCount - 1))
        {
            words.Add("head");
        }

        return string.Join(", ", words);
    }
}

/// <summary>How a diagnosis is run.</summary>
public sealed record DiagnosisOptions
{
    /// <summary><c>float32</c>, <c>bfloat16</c> or <c>fp8</c>; null for what the candidate's stored values say.</summary>
    public string? Precision { get; init; }

    /// <summary>Worker threads.</summary>
    public int ThreadCount { get; init; } = 1;

    /// <summary>The longest time that pairs of mistakes in one block are searched.</summary>
    public TimeSpan PairTime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What was seen before any number is compared, one line each.</summary>
    public IReadOnlyList<string> Preflight { get; init; } = [];
}
