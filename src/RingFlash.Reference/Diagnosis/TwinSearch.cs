using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes that bring a wrong tap within the budget.</summary>
/// <param name="Mistakes">The mistakes.</param>
/// <param name="Tap">The tap against the twin.</param>
internal sealed record Fit(IReadOnlyList<Suspect> Mistakes, TwinTap Tap)
{
    /// <summary>The mistakes by name.</summary>
    public IReadOnlyList<NamedMistake> Named =>
        [.. Mistakes.Select(suspect => new NamedMistake(suspect.Mistake, suspect.Variant.Value))];
}

/// <summary>What a search for one tap came to.</summary>
/// <param name="Fits">What fits, nearest first.</param>
/// <param name="Hints">What comes nearest without fitting.</param>
internal sealed record SearchResult(List<Fit> Fits, IReadOnlyList<DiagnosisHint> Hints);

/// <summary>Looks for the twin that a tap agrees with.</summary>
internal sealed class TwinSearch
{
    /// <summary>So many twins that come near are judged with their own noise.</summary>
    private const int MostJudged = 12;

    /// <summary>A twin that does not bring the error below this share of what it was is not looked at again.</summary>
    private const double WorthJudging = 0.8;

    /// <summary>A twin that moves a tap by less than this relative to its error has not moved it.</summary>
    private const double Moves = 1e-3;

    private const double FarBehind = 4;

    private const int MostHints = 3;

    private readonly TwinRuns runs;
    private readonly DiagnosisOptions options;
    private readonly CancellationToken cancellation;
    private readonly Dictionary<Suspect, bool> seen = [];
    private readonly HashSet<string> fitted = [];
    private bool countsAll;

    /// <summary>Prepares.</summary>
    /// <param name="runs">Runs twins.</param>
    /// <param name="options">How long.</param>
    /// <param name="cancellation">Stops between twins.</param>
    public TwinSearch(TwinRuns runs, DiagnosisOptions options, CancellationToken cancellation)
    {
        this.runs = runs;
        this.options = options;
        this.cancellation = cancellation;
    }

    /// <summary>Twins run so far.</summary>
    public int TwinsRun { get; private set; }

    /// <summary>Of those, twins with two mistakes.</summary>
    public int PairsRun { get; private set; }

    /// <summary>Mistakes whose twins were run, and showed, and do not fit.</summary>
    public string[] Excluded => [.. MistakeCatalogue.All
        .Where(mistake => !fitted.Contains(mistake.Id))
        .Where(mistake => seen.Any(entry => entry.Key.Mistake == mistake && entry.Value))
        .Select(mistake => mistake.Id)];

    /// <summary>Mistakes, or ways to make them, that did not show.</summary>
    public string[] NotShown =>
    [
        .. MistakeCatalogue.All.Where(mistake => !fitted.Contains(mistake.Id)).SelectMany(mistake =>
        {
            Suspect[] ways = [.. Suspect.All.Where(suspect => suspect.Mistake == mistake && seen.ContainsKey(suspect))];
            Suspect[] hidden = [.. ways.Where(way => !seen[way])];
            return hidden.Length == 0 ? []
                : hidden.Length == ways.Length ? [mistake.Id]
                : hidden.Select(way => way.Name);
        }),
    ];

    /// <summary>Mistakes that were not looked at: they act where nothing was compared, or time ran out.</summary>
    public string[] NotRun =>
        [.. MistakeCatalogue.All.Where(mistake => !fitted.Contains(mistake.Id)
            && !seen.Keys.Any(suspect => suspect.Mistake == mistake)).Select(mistake => mistake.Id)];

    /// <summary>Two distances up to which fits are alike.</summary>
    /// <param name="distance">The smaller one.</param>
    /// <returns>The larger one.</returns>
    public static double Alike(double distance) => (1.5 * distance) + 1e-7;

    /// <summary>Searches.</summary>
    /// <param name="tap">The first wrong tap that nothing explains so far.</param>
    /// <param name="plain">The comparison with the reference.</param>
    /// <param name="made">What was found before: tried together with one more.</param>
    /// <param name="pairs">Whether two mistakes are tried where no single one fits.</param>
    /// <returns>What fits.</returns>
    public SearchResult For(
        string tap, ComparisonReport plain, IReadOnlyList<IReadOnlyList<Suspect>> made, bool pairs)
    {
        double budget = plain.Isolated.FirstOrDefault(finding => finding.Tap == tap)?.Budget.L2Relative ?? 0;
        Suspect[] suspects = [.. Suspect.All.Where(suspect => (suspect.Mistake.Blocks & runs.BlocksBefore(tap)) != 0)];
        List<IReadOnlyList<Suspect>> bases = [[], .. made];
        if (made.Count > 1)
        {
            bases.Add([.. made.SelectMany(found => found)]);
        }

        runs.Prepare(runs.PartOf(tap));

        // Near ties of the router are left out, unless it is a few tokens alone that are wrong.
        countsAll = runs.Measure([], tap) is not { } own || own.Trimmed <= budget;
        List<(IReadOnlyList<Suspect> Mistakes, double Error)> singles = [];
        SearchResult? result = null;
        foreach (IReadOnlyList<Suspect> basis in bases)
        {
            double without = Measure(basis, tap) ?? double.PositiveInfinity;
            foreach (bool costly in new[] { false, true })
            {
                foreach (Suspect suspect in suspects.Where(
                    suspect => suspect.Mistake.IsCostly == costly && !basis.Contains(suspect)))
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (runs.IsReference([suspect]))
                    {
                        continue;
                    }

                    double? error = Measure([.. basis, suspect], tap);
                    Note(suspect, error, without, budget);
                    if (error is double known && Math.Abs(known - without) > Moves * without)
                    {
                        singles.Add(([.. basis, suspect], known));
                    }
                }

                result = Decide(tap, singles, basis.Count, without);
                if (result.Fits.Count > 0)
                {
                    return result;
                }
            }
        }

        return pairs ? Pairs(tap, singles) ?? result! : result!;
    }

    /// <summary>
    /// Judges a part with mistakes added to those found before, and with them alone: whichever explains more.
    /// </summary>
    /// <param name="mistakes">The mistakes.</param>
    /// <param name="made">What was found before.</param>
    /// <param name="first">Where the run begins.</param>
    /// <param name="part">The part.</param>
    /// <param name="wrong">The taps of the part that are to be explained.</param>
    /// <returns>The part's taps.</returns>
    public TwinTap[] Best(
        IReadOnlyList<Suspect> mistakes,
        IReadOnlyList<IReadOnlyList<Suspect>> made,
        int first,
        int part,
        IReadOnlySet<string> wrong)
    {
        TwinTap[] best = Judge(mistakes, first, part);
        if (made.Count == 0 || wrong.Count == 0 || Explained(best) == wrong.Count)
        {
            return best;
        }

        Suspect[] all = [.. made.SelectMany(found => found).Except(mistakes), .. mistakes];
        TwinTap[] together = Judge(all, first, part);
        return Explained(together) > Explained(best) ? together : best;

        int Explained(TwinTap[] taps) => taps.Count(tap => wrong.Contains(tap.Tap) && tap.Compared && tap.Agrees);
    }

    /// <summary>Finds out, for mistakes that were not looked at so far, whether they would show.</summary>
    /// <param name="comparison">The comparison with the reference.</param>
    public void Exclude(ComparisonReport comparison)
    {
        // One part of each kind is enough to see what shows.
        int[] parts = [.. comparison.Isolated.Where(finding => finding.Verdict == Verdict.Passed)
            .Select(finding => runs.PartOf(finding.Tap)).Distinct()
            .GroupBy(runs.KindOf).Select(group => group.First())];
        Stopwatch clock = Stopwatch.StartNew();
        foreach (Suspect suspect in Suspect.All.Where(suspect => !seen.ContainsKey(suspect)))
        {
            cancellation.ThrowIfCancellationRequested();
            if (clock.Elapsed > options.ExclusionTime)
            {
                return;
            }

            if (runs.IsReference([suspect]))
            {
                continue;
            }

            int[] acting = [.. parts.Where(part => (suspect.Mistake.Blocks & runs.BlocksOf(part)) != 0)];
            if (acting.Length == 0)
            {
                continue;
            }

            seen[suspect] = acting.Any(part =>
            {
                TwinsRun++;
                return runs.Shows([suspect], part, comparison) == true;
            });
        }
    }

    private TwinTap[] Judge(IReadOnlyList<Suspect> mistakes, int first, int part, string? tap = null)
    {
        TwinsRun++;
        return [.. runs.Judge(mistakes, first, part, tap) ?? []];
    }

    private double? Measure(IReadOnlyList<Suspect> mistakes, string tap)
    {
        TwinsRun++;
        ScreeningError? error = runs.Measure(mistakes, tap);
        return countsAll ? error?.Full : error?.Trimmed;
    }

    // A twin that moves the tap by more than the budget was seen; one that does not may still be seen elsewhere.
    private void Note(Suspect suspect, double? error, double without, double budget)
    {
        if (error is double known && Math.Abs(known - without) > Math.Max(budget, Moves * without))
        {
            seen[suspect] = true;
        }
    }

    private SearchResult Decide(
        string tap,
        List<(IReadOnlyList<Suspect> Mistakes, double Error)> twins,
        int basis,
        double without)
    {
        List<Fit> fits = [];
        (IReadOnlyList<Suspect> Mistakes, double Error)[] near =
            [.. twins.Where(twin => twin.Error <= WorthJudging * without).OrderBy(twin => twin.Error)];
        foreach ((IReadOnlyList<Suspect> mistakes, double error) in near.Take(MostJudged))
        {
            int part = runs.PartOf(tap);
            TwinTap? judged =
                Judge(mistakes, runs.StartFor(part), part, tap).FirstOrDefault(entry => entry.Tap == tap);
            if (judged is { Compared: true, Agrees: true })
            {
                fits.Add(new Fit([.. mistakes.Skip(basis)], judged));
                fitted.UnionWith(mistakes.Skip(basis).Select(suspect => suspect.Mistake.Id));
            }
            else if (fits.Count > 0 && error > FarBehind * near[0].Error)
            {
                break; // the rest is further away still
            }
        }

        DiagnosisHint[] hints = [.. near.Take(MostHints).Select(twin => new DiagnosisHint(
            [.. twin.Mistakes.Select(suspect => new NamedMistake(suspect.Mistake, suspect.Variant.Value))],
            twin.Error,
            without))];
        return new SearchResult([.. fits.OrderBy(fit => fit.Tap.Distance)], hints);
    }

    private SearchResult? Pairs(
        string tap, List<(IReadOnlyList<Suspect> Mistakes, double Error)> singles)
    {
        double without = Measure([], tap) ?? double.PositiveInfinity;
        Suspect[] acting = [.. singles.Where(twin => twin.Mistakes.Count == 1)
            .OrderBy(twin => twin.Error).Select(twin => twin.Mistakes[0])];
        List<(IReadOnlyList<Suspect> Mistakes, double Error)> pairs = [];
        Stopwatch clock = Stopwatch.StartNew();
        for (int sum = 1; sum < (2 * acting.Length) - 2; sum++)
        {
            for (int first = Math.Max(0, sum - acting.Length + 1); first < (sum + 1) / 2; first++)
            {
                if (clock.Elapsed > options.PairTime)
                {
                    return Finish();
                }

                cancellation.ThrowIfCancellationRequested();
                Suspect a = acting[first], b = acting[sum - first];
                if (a.Mistake == b.Mistake)
                {
                    continue;
                }

                // Which is made first matters where both replace the same operator.
                foreach (Suspect[] pair in new[] { new[] { a, b }, [b, a] })
                {
                    PairsRun++;
                    if (Measure(pair, tap) is double error)
                    {
                        pairs.Add((pair, error));
                    }
                }
            }
        }

        return Finish();

        SearchResult? Finish()
        {
            SearchResult result = Decide(tap, pairs, 0, without);
            return result.Fits.Count > 0 ? result : null;
        }
    }
}
