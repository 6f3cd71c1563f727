using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Comparison;

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
    private const double WorthJudging = 0.5;

    /// <summary>A twin that moves a tap by less than this relative to its error has not moved it.</summary>
    private const double Moves = 1e-3;

    private const int MostHints = 3;

    private readonly TwinRuns runs;
    private readonly DiagnosisOptions options;
    private readonly CancellationToken cancellation;
    private readonly HashSet<string> moved = [];
    private readonly HashSet<string> still = [];
    private readonly HashSet<string> fitted = [];

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

    /// <summary>Mistakes none of whose ways fitted, and one of whose ways showed.</summary>
    public string[] Excluded => [.. MistakeCatalogue.All.Select(mistake => mistake.Id)
        .Where(id => moved.Contains(id) && !fitted.Contains(id))];

    /// <summary>Mistakes that did not show in any tap that was looked at.</summary>
    public string[] NotShown => [.. MistakeCatalogue.All.Select(mistake => mistake.Id)
        .Where(id => !moved.Contains(id) && !fitted.Contains(id))];

    /// <summary>Two distances up to which fits are alike.</summary>
    /// <param name="distance">The smaller one.</param>
    /// <returns>The larger one.</returns>
    public static double Alike(double distance) => (1.5 * distance) + 1e-7;

    /// <summary>A tap's place in the order of computation.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>Its place.</returns>
    public int OrderOf(string tap) => runs.OrderOf(tap);

    /// <summary>Searches.</summary>
    /// <param name="tap">The first wrong tap that nothing explains so far.</param>
    /// <param name="plain">Every tap against the reference.</param>
    /// <param name="made">What was found before: tried together with one more.</param>
    /// <param name="pairs">Whether two mistakes are tried where no single one fits.</param>
    /// <returns>What fits.</returns>
    public SearchResult For(
        string tap, IReadOnlyList<TwinTap> plain, IReadOnlyList<IReadOnlyList<Suspect>> made, bool pairs)
    {
        Suspect[] suspects = [.. Suspect.All.Where(suspect => (suspect.Mistake.Blocks & runs.BlocksBefore(tap)) != 0)];
        List<IReadOnlyList<Suspect>> bases = [[], .. made];
        if (made.Count > 1)
        {
            bases.Add([.. made.SelectMany(found => found)]);
        }

        List<(IReadOnlyList<Suspect> Mistakes, double Error)> singles = [];
        SearchResult? result = null;
        foreach (IReadOnlyList<Suspect> basis in bases)
        {
            double without = Measure(basis, tap) ?? double.PositiveInfinity;
            foreach (Suspect suspect in suspects.Where(suspect => !basis.Contains(suspect)))
            {
                cancellation.ThrowIfCancellationRequested();
                double? error = Measure([.. basis, suspect], tap);
                Note(suspect, error, without);
                if (error is double known && Math.Abs(known - without) > Moves * without)
                {
                    singles.Add(([.. basis, suspect], known));
                }
            }

            result = Decide(tap, plain, singles, basis.Count, without);
            if (result.Fits.Count > 0)
            {
                return result;
            }
        }

        return pairs ? Pairs(tap, plain, singles) ?? result! : result!;
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

    /// <summary>For a candidate without a mistake: which mistakes it therefore does not make.</summary>
    /// <param name="plain">Every tap against the reference.</param>
    /// <returns>The excluded, and those that would not show.</returns>
    public (string[] Excluded, string[] NotShown) Exclude(IReadOnlyList<TwinTap> plain)
    {
        // One part of each kind is enough to see what shows.
        int[] parts = [.. plain.Where(tap => tap.Compared).Select(tap => runs.PartOf(tap.Tap)).Distinct()
            .GroupBy(runs.KindOf).Select(group => group.First())];
        foreach (Suspect suspect in Suspect.All)
        {
            foreach (int part in parts)
            {
                cancellation.ThrowIfCancellationRequested();
                if (moved.Contains(suspect.Mistake.Id))
                {
                    break;
                }

                if (Judge([suspect], runs.StartFor(part), part).Any(tap => tap.Compared && !tap.Agrees))
                {
                    moved.Add(suspect.Mistake.Id);
                }
            }
        }

        return (Excluded, NotShown);
    }

    private TwinTap[] Judge(IReadOnlyList<Suspect> mistakes, int first, int part)
    {
        TwinsRun++;
        return [.. runs.Judge(mistakes, first, part) ?? []];
    }

    private double? Measure(IReadOnlyList<Suspect> mistakes, string tap)
    {
        TwinsRun++;
        double? error = runs.Measure(mistakes, tap);
        return error is double number && double.IsNaN(number) ? double.PositiveInfinity : error;
    }

    private void Note(Suspect suspect, double? error, double without)
    {
        if (error is double known && Math.Abs(known - without) > Moves * without)
        {
            moved.Add(suspect.Mistake.Id);
        }
        else
        {
            still.Add(suspect.Mistake.Id);
        }
    }

    private SearchResult Decide(
        string tap,
        IReadOnlyList<TwinTap> plain,
        List<(IReadOnlyList<Suspect> Mistakes, double Error)> twins,
        int basis,
        double without)
    {
        List<Fit> fits = [];
        (IReadOnlyList<Suspect> Mistakes, double Error)[] near =
            [.. twins.Where(twin => twin.Error <= WorthJudging * without).OrderBy(twin => twin.Error)];
        foreach ((IReadOnlyList<Suspect> mistakes, double _) in near.Take(MostJudged))
        {
            int part = runs.PartOf(tap);
            TwinTap? judged = Judge(mistakes, runs.StartFor(part), part).FirstOrDefault(entry => entry.Tap == tap);
            if (judged is { Compared: true, Agrees: true })
            {
                fits.Add(new Fit([.. mistakes.Skip(basis)], judged));
                fitted.UnionWith(mistakes.Skip(basis).Select(suspect => suspect.Mistake.Id));
            }
        }

        DiagnosisHint[] hints = [.. near.Take(MostHints).Select(twin => new DiagnosisHint(
            [.. twin.Mistakes.Select(suspect => new NamedMistake(suspect.Mistake, suspect.Variant.Value))],
            twin.Error,
            without))];
        _ = plain;
        return new SearchResult([.. fits.OrderBy(fit => fit.Tap.Distance)], hints);
    }

    private SearchResult? Pairs(
        string tap, IReadOnlyList<TwinTap> plain, List<(IReadOnlyList<Suspect> Mistakes, double Error)> singles)
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

                PairsRun++;
                if (Measure([a, b], tap) is double error)
                {
                    pairs.Add(([a, b], error));
                }
            }
        }

        return Finish();

        SearchResult? Finish()
        {
            SearchResult result = Decide(tap, plain, pairs, 0, without);
            return result.Fits.Count > 0 ? result : null;
        }
    }
}
