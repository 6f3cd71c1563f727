using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Objective.Checking;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>A check for people.</summary>
internal static class IcePopCheckTable
{
    private const int MostDifferences = 20;
    private const int MostNames = 10;

    /// <summary>Writes the verdict, whose numbers these are, and the table.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="check">The check.</param>
    public static void Write(IAnsiConsole console, IcePopCheck check)
    {
        ReportText text = new(console);
        text.Line(Verdict(check));
        if (!check.Passed)
        {
            text.Line(WhoseNumbers(check));
            if (check.Mistakes.Count > 0)
            {
                text.Line("one change of the published objective gives your numbers: "
                    + string.Join("; or ", check.Mistakes.Select(mistake => mistake.Description)));
            }
        }

        text.Blank();
        ReportTable table = new(
            new("case", 30),
            new("precision", 9),
            new("compared", 10, Right: true),
            new("wrong", 10, Right: true),
            new("first wrong quantity", 28),
            new("verdict", 7));
        foreach (IcePopCheckedCase one in check.Cases)
        {
            table.Add(
                one.Case.Name,
                one.IsSingle ? "float32" : "float64",
                Count(one.Compared),
                one.Comparison is null ? "-" : Count(one.Comparison.Quantities.Sum(quantity => quantity.Wrong)),
                one.Comparison?.FirstWrong?.Name ?? "-",
                one.Agrees ? "equal" : "FAILED");
        }

        table.Write(console);
        IcePopCheckedCase[] wrong = [.. check.Cases.Where(one => !one.Agrees)];
        foreach (IcePopCheckedCase one in wrong.Take(MostDifferences))
        {
            text.Line($"{one.Case.Name}: {one.Text}");
            if (one.Case.BoundarySensitive && one.Comparison?.FirstWrong?.Name == "keep")
            {
                text.Line("    a boundary-sensitive case: rules in log space (N1, ours) and in ratio space may differ");
            }
        }

        if (wrong.Length > MostDifferences)
        {
            text.Line($"the first {MostDifferences} of {wrong.Length} differences; --json FILE has all");
        }

        Names(
            text,
            "not compared, as profile or schema have no such quantity: ",
            check.Cases.SelectMany(one => one.NotCompared));
        if (check.WithoutCase.Count > MostNames)
        {
            text.Line($"{check.WithoutCase.Count} results belong to cases that were not given");
        }
        else
        {
            Names(text, "results of cases that were not given: ", check.WithoutCase);
        }
    }

    private static string Verdict(IcePopCheck check)
    {
        if (check.Passed)
        {
            string cases = check.Cases.Count == 1 ? "1 case" : $"{check.Cases.Count} cases";
            return $"PASSED: {Count(check.Compared)} numbers of {cases} equal profile {check.Profile.Name}";
        }

        IcePopCheckedCase first = check.Cases.First(one => !one.Agrees);
        return check.Compared == 0
            ? $"FAILED: nothing was compared; {first.Case.Name}: {first.Text}"
            : $"FAILED {first.Case.Name}: {first.Text}";
    }

    private static string WhoseNumbers(IcePopCheck check)
    {
        if (check.Compared == 0)
        {
            return "no profile was compared";
        }

        if (check.NearestProfile is { } nearest)
        {
            return $"your numbers equal no profile in every case; nearest is {nearest.Profile.Name}, equal"
                + $"{Precision(nearest)} in {nearest.Cases} of {check.Cases.Count} cases";
        }

        if (check.EqualProfiles.Count == 0)
        {
            return "your numbers equal no other profile";
        }

        EqualProfile best = check.EqualProfiles[0];
        EqualProfile[] equal = [.. check.EqualProfiles.Where(one => one.Compared == best.Compared)];
        string profiles = (equal.Length == 1 ? "profile " : "profiles ")
            + string.Join(", ", equal.Select(one => one.Profile.Name));
        return $"your numbers equal {profiles}{Precision(best)} ({Count(best.Compared)} numbers compared)";
    }

    private static string Precision(EqualProfile profile) =>
        profile.WithinSingle ? " within the rounding of float32" : string.Empty;

    private static void Names(ReportText text, string head, IEnumerable<string> names)
    {
        string[] distinct = [.. names.Distinct()];
        if (distinct.Length > 0)
        {
            text.Names(head, distinct);
        }
    }

    private static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
