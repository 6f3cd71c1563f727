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

    /// <summary>So many fits are held against every part.</summary>
    private const int MostConfirmed = 8;

    private readonly TwinRuns runs;
    private readonly TwinSearch search;
    private readonly IReadOnlyList<TwinTap> plain;
    private readonly CancellationToken cancellation;
    private readonly Action<string> report;

    private Diagnoser(
        TwinRuns runs,
        TwinSearch search,
        IReadOnlyList<TwinTap> plain,
        Action<string> report,
        CancellationToken cancellation)
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
        List<TwinTap> open =
            [.. plain.Where(tap => tap.Compared && !tap.Agrees).OrderBy(tap => runs.OrderOf(tap.Tap))];
        if (open.Count == 0)
        {
            report("looking for mistakes that would not show");
            search.Exclude(comparison);
            return new DiagnosisReport
            {
                Outcome = DiagnosisOutcome.NoMistake,
                Headline = string.Empty,
                Comparison = comparison,
                Excluded = search.Excluded,
                NotShown = search.NotShown,
                NotRun = search.NotRun,
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
            SearchResult result = search.For(open[0].Tap, comparison, made, pairs: notExplained.Count == 0);
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
        report("looking for mistakes that would not show");
        search.Exclude(comparison);
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
            NotRun = search.NotRun,
            TwinsRun = search.TwinsRun,
            PairsRun = search.PairsRun,
        };
    }

    // Looks at every part: where the same mistakes explain what is wrong there, where they spoil what is right, and
    // where they are not made.
    private DiagnosisFinding Confirm(SearchResult result, List<TwinTap> open, List<IReadOnlyList<Suspect>> made)
    {
        Evidence[] all = [.. result.Fits.Take(MostConfirmed).Select(fit => new Evidence(fit))];
        for (int part = 0; part < runs.PartCount; part++)
        {
            cancellation.ThrowIfCancellationRequested();
            TwinTap[] before = [.. plain.Where(tap => tap.Compared && runs.PartOf(tap.Tap) == part)];
            HashSet<string> wrong = [.. open.Where(tap => runs.PartOf(tap.Tap) == part).Select(tap => tap.Tap)];
            if (before.Length == 0 || (wrong.Count == 0 && before.Any(tap => !tap.Agrees)))
            {
                continue; // nothing to see, or explained before
            }

            report(FormattableString.Invariant($"does it explain part {part + 1} of {runs.PartCount}"));
            HashSet<string> right = [.. before.Where(tap => tap.Agrees).Select(tap => tap.Tap)];
            foreach (Evidence evidence in all)
            {
                TwinTap[] after = search.Best(evidence.Fit.Mistakes, made, runs.StartFor(part), part, wrong);
                TwinTap[] explained = [.. after.Where(tap => wrong.Contains(tap.Tap) && tap.Compared && tap.Agrees)];
                int spoiled = after.Count(tap => right.Contains(tap.Tap) && tap.Compared && !tap.Agrees);
                evidence.Explained.AddRange(explained);
                if (explained.Length > 0)
                {
                    evidence.MadeIn.Add(part);
                    evidence.Spoiled += spoiled;
                }
                else if (wrong.Count == 0 && spoiled > 0)
                {
                    evidence.NotMadeIn.Add(part);
                }
            }
        }

        Evidence[] ranked = [.. all
            .OrderByDescending(evidence => evidence.Explained.Count - evidence.Spoiled)
            .ThenBy(evidence => evidence.Fit.Mistakes.Count)];
        Evidence[] equal = [.. ranked.Where(evidence => evidence.Score == ranked[0].Score
            && evidence.Fit.Mistakes.Count == ranked[0].Fit.Mistakes.Count)];
        double nearest = equal.Min(evidence => evidence.Distance);
        Evidence[] alike = [.. equal.Where(evidence => evidence.Distance <= TwinSearch.Alike(nearest))
            .OrderBy(evidence => OrderOf(evidence.Fit))];
        Evidence chosen = alike[0];
        result.Fits.Remove(chosen.Fit);
        result.Fits.Insert(0, chosen.Fit);
        string[] taps = [.. chosen.Explained.Select(tap => tap.Tap).Distinct()];
        return new DiagnosisFinding
        {
            Mistakes = chosen.Fit.Named,
            NotToldApart = [.. alike.Skip(1).Select(evidence => evidence.Fit.Named)],
            LessLikely = [.. ranked.Where(evidence => !alike.Contains(evidence) && evidence.Spoiled <= chosen.Spoiled)
                .Select(evidence => evidence.Fit.Named)],
            Where = Places(chosen.MadeIn),
            NotMadeIn = Places(chosen.NotMadeIn),
            Explains = taps,
            OverBudget = chosen.Explained.Max(tap => tap.OverBudget),
            WithoutIt = plain.Where(tap => taps.Contains(tap.Tap)).Max(tap => tap.OverBudget),
        };
    }

    // The catalogue has likely mistakes before unlikely ones.
    private static int OrderOf(Fit fit) => fit.Mistakes.Sum(suspect =>
    {
        int index = 0;
        while (!Suspect.All[index].Equals(suspect))
        {
            index++;
        }

        return index;
    });

    /// <summary>What speaks for a fit, and against it.</summary>
    private sealed class Evidence(Fit fit)
    {
        /// <summary>The fit.</summary>
        public Fit Fit => fit;

        /// <summary>Wrong taps that it explains.</summary>
        public List<TwinTap> Explained { get; } = [];

        /// <summary>Right taps that it makes wrong, in parts where it explains others.</summary>
        public int Spoiled { get; set; }

        /// <summary>Parts in which it explains something.</summary>
        public List<int> MadeIn { get; } = [];

        /// <summary>Parts that are right and would not be.</summary>
        public List<int> NotMadeIn { get; } = [];

        /// <summary>What speaks for it, less what speaks against it.</summary>
        public int Score => Explained.Count - Spoiled;

        /// <summary>How far the explained taps are from it, relative.</summary>
        public double Distance => Explained.Count == 0
            ? double.PositiveInfinity
            : Math.Sqrt(Explained.Average(tap => tap.Distance * tap.Distance));
    }

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
