using System.Collections.Generic;
using System.Linq;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.ServerCheck;

/// <summary>The sentences of a verdict.</summary>
internal static class ServerVerdict
{
    /// <summary>The first line.</summary>
    /// <param name="report">The report.</param>
    /// <returns>One sentence.</returns>
    public static string Headline(ServerCheckReport report) => report.Verdict switch
    {
        Verdict.Failed => $"FAILED {report.Address}: {report.Failures[0]}"
            + (report.Failures.Count > 1 ? $" (and {report.Failures.Count - 1} more)" : string.Empty),
        Verdict.Passed => $"PASSED {report.Address}: {Passed(report)}",
        _ when report.End is Oddity end =>
            $"NOT CHECKED {report.Address}: {end.Kind.Name}: {end.Place}: {end.Detail}: {end.Kind.Consequence}",
        _ => $"NOT CHECKED {report.Address}: the server told no log-probability that could be compared",
    };

    /// <summary>Why log-probabilities are wrong.</summary>
    /// <param name="scores">The comparison.</param>
    /// <param name="precision">The declared precision.</param>
    /// <param name="names">Shows tokens.</param>
    /// <param name="hint">What they are instead.</param>
    /// <returns>The reasons; none where they are right.</returns>
    public static IEnumerable<string> OfScores(
        ScoreComparison scores, string precision, TokenNames names, string hint)
    {
        if (scores.OfNoise > 1)
        {
            ScoreRow row = scores.Rows.MaxBy(row => row.OfNoise)!;
            string off =
                scores.OfNoise == scores.OfNoiseSingle ? $"up to {NumberText.Error(row.Differences.Maximum)}"
                : scores.OfNoise == scores.OfNoiseMedian ? $"{NumberText.Error(scores.All.Median)} in the median"
                : $"{NumberText.Error(scores.Clean.RootMeanSquare)} in the root mean square";
            yield return $"log-probabilities are off by {off}, {NumberText.Multiple(scores.OfNoise)} times what "
                + $"{precision} explains{(hint.Length > 0 ? $"; {hint}" : string.Empty)}; {row.What}, "
                + Worst(row.Worst!, names);
        }

        if (scores.WrongLists > 0)
        {
            yield return $"{scores.WrongLists} of {scores.Lists} lists of the most likely tokens lack one that is more "
                + "likely than others in them";
        }

        if (scores.WrongRanks > 0)
        {
            yield return $"{scores.WrongRanks} of {scores.Ranks} ranks are not those of the tokens";
        }
    }

    /// <summary>The number that is furthest off.</summary>
    /// <param name="worst">The number.</param>
    /// <param name="names">Shows tokens.</param>
    /// <returns>Where, what, and both values.</returns>
    public static string Worst(WorstNumber worst, TokenNames names) =>
        $"prompt {worst.Sequence}, token {worst.Position}, {names.Show(worst.Id)}: {NumberText.Value(worst.Served)}, "
        + $"ours {NumberText.Value(worst.Own)}";

    private static string Passed(ServerCheckReport report)
    {
        ScoreComparison scores = report.Scores!;
        bool equal = scores.All.AllEqual && report.Experts is null or { AllSame: true };
        string numbers = $"{NumberText.Count(scores.All.Count)} log-probabilities";
        string experts = report.Experts is { Compared: > 0 } routed
            ? $" and {NumberText.Count(routed.Compared)} sets of experts"
            : string.Empty;
        string gaps = string.Join(", ", report.Oddities.Found
            .Where(oddity => oddity.Kind.Weight == OddityWeight.Gap)
            .Select(oddity => oddity.Kind.Name));
        return (equal
                ? $"{numbers}{experts} equal to the bit ({scores.Run})"
                : $"{numbers}{experts} within the noise of {report.Precision}, at most "
                    + $"{NumberText.Multiple(scores.OfNoise)} of it")
            + (gaps.Length > 0 ? $"; not all was compared: {gaps}" : string.Empty);
    }
}
