using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Recognises numbers that are right, but of something else.</summary>
internal static class ScoreHint
{
    /// <summary>Looks for what the numbers are.</summary>
    /// <param name="run">Our run.</param>
    /// <param name="places">The places.</param>
    /// <param name="band">The noise.</param>
    /// <returns>A sentence; empty where nothing fits.</returns>
    public static string Of(ReferenceRun run, IReadOnlyList<ComparedPlace> places, NoiseBand band)
    {
        foreach (int shift in new[] { 1, -1 })
        {
            if (Fits(places.Where(place => place.IsPrompt), place => Shifted(run, place, shift), band, 1))
            {
                string side = shift > 0 ? "after" : "before";
                return $"they are the log-probabilities of the token {side}: shifted by one";
            }
        }

        foreach ((double factor, string name) in new[] { (Math.Log(10), "10"), (Math.Log(2), "2") })
        {
            if (Fits(places, place => Pairs(place, (own, id) => own[id] / factor), band, 1 / factor))
            {
                return $"they are logarithms to base {name}, not nats";
            }
        }

        if (Temperature(run, places) is double temperature
            && Fits(places, place => AtTemperature(run, place, temperature), band, Math.Max(1, 1 / temperature)))
        {
            string found = temperature.ToString("0.00", CultureInfo.InvariantCulture);
            return $"they are those at temperature {found}, and 1 was asked for (a default of the server?)";
        }

        return string.Empty;

        IEnumerable<(double Served, double Own)> Pairs(ComparedPlace place, Func<float[], int, double> own)
        {
            float[] row = run.Sequences[place.Sequence].LogProbabilities[place.Token];
            return Tokens(place).Select(token => (token.LogProbability!.Value, own(row, token.Id!.Value)));
        }
    }

    private static bool Fits(
        IEnumerable<ComparedPlace> places,
        Func<ComparedPlace, IEnumerable<(double Served, double Own)>> pairs,
        NoiseBand band,
        double scale)
    {
        Differences differences = new();
        foreach ((double served, double own) in places.SelectMany(pairs))
        {
            differences.Add(served, (float)own);
        }

        const int Enough = 4; // fewer may fit by chance
        return differences.Count >= Enough && differences.Median <= scale * band.Median;
    }

    private static IEnumerable<(double Served, double Own)> Shifted(ReferenceRun run, ComparedPlace place, int shift)
    {
        ReferenceSequence sequence = run.Sequences[place.Sequence];
        int token = place.Token + shift;
        if (place.Served.Token?.LogProbability is double served && token >= 0 && token + 1 < sequence.Ids.Count)
        {
            yield return (served, sequence.LogProbabilities[token][sequence.Ids[token + 1]]);
        }
    }

    // Within a place log-probabilities at temperature T differ by 1/T of what they differ by at 1.
    private static double? Temperature(ReferenceRun run, IReadOnlyList<ComparedPlace> places)
    {
        double products = 0, squares = 0;
        foreach (ComparedPlace place in places)
        {
            float[] row = run.Sequences[place.Sequence].LogProbabilities[place.Token];
            ServedToken[] tokens = [.. Tokens(place)];
            if (tokens.Length < 2)
            {
                continue;
            }

            double meanServed = tokens.Average(token => token.LogProbability!.Value);
            double meanOwn = tokens.Average(token => row[token.Id!.Value]);
            products += tokens.Sum(
                token => (token.LogProbability!.Value - meanServed) * (row[token.Id!.Value] - meanOwn));
            squares += tokens.Sum(token => Math.Pow(token.LogProbability!.Value - meanServed, 2));
        }

        double temperature = Math.Round(products / squares, 2);
        return temperature is > 0.01 and < 100 and not 1 ? temperature : null;
    }

    private static IEnumerable<(double Served, double Own)> AtTemperature(
        ReferenceRun run, ComparedPlace place, double temperature)
    {
        float[] row = run.Sequences[place.Sequence].LogProbabilities[place.Token];
        double best = row.Max();
        double logSum = (best / temperature) + Math.Log(row.Sum(value => Math.Exp((value - best) / temperature)));
        return Tokens(place).Select(
            token => (token.LogProbability!.Value, (row[token.Id!.Value] / temperature) - logSum));
    }

    private static IEnumerable<ServedToken> Tokens(ComparedPlace place) =>
        (place.Served.Token is null ? place.Served.Top : place.Served.Top.Append(place.Served.Token))
            .Where(token => token is { Id: not null, LogProbability: not null });
}
