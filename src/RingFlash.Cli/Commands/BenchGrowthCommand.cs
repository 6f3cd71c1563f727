using System;
using System.CommandLine;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Benchmarks;
using Spectre.Console;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash bench growth</c>: whether cost grows as the work does.</summary>
internal static class BenchGrowthCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <param name="shapes">The argument of <c>bench</c>, which means nothing here.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context, Argument<string[]> shapes)
    {
        Option<int> threads = new("--threads")
        {
            Description = "Worker threads.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        Option<bool> quick = new("--quick") { Description = "Smaller sizes: seconds." };
        Option<string?> json = new("--json") { Description = "Write every point as JSON.", HelpName = "FILE" };
        Option<string?> svg = new("--svg")
        {
            Description = "Write a chart per curve, logarithmic, with the expected slope.",
            HelpName = "FILE",
        };
        ToolCommand command = new(
            "growth",
            "Time and memory of a small model against tokens, context, experts and layers: the exponent that fits, "
            + "beside the one that the algorithm has.",
            "ringflash bench growth --svg growth.svg")
        {
            threads, quick, json, svg,
        };
        command.SetAction((parsed, cancellation) =>
        {
            if (parsed.GetValue(shapes) is { Length: > 0 } words)
            {
                throw new UsageException($"bench growth has its own small model; '{words[0]}' is not measured");
            }

            BenchmarkOptions options = new()
            {
                ThreadCount = BenchCommand.Threads(parsed.GetValue(threads)),
                IsQuick = parsed.GetValue(quick),
            };
            (string? jsonFile, string? svgFile) =
                BenchCommand.Outputs(parsed.GetValue(json), parsed.GetValue(svg), context);
            GrowthReport report = TerminalProgress.Run(
                context, progress => context.Growth(options, progress, cancellation));
            Write(ReportConsole.Create(context.Output, context.Colour), report);
            if (jsonFile is not null)
            {
                BenchmarkJson.Save(jsonFile, report);
            }

            if (svgFile is not null)
            {
                GrowthPicture.Save(svgFile, report);
            }

            return Task.FromResult(report.Curves.Any(curve => curve.Refusal is not null)
                ? ExitCodes.OverBudget
                : ExitCodes.WithinBudget);
        });
        return command;
    }

    private static void Write(IAnsiConsole console, GrowthReport report)
    {
        ReportText text = new(console);
        new BenchmarkTable(console).WriteMachine(report.Machine);
        text.Blank();
        ReportTable table = new(
            new("cost", 19),
            new("against", 14),
            new("from", 7, Right: true),
            new("to", 7, Right: true),
            new("cost at first", 13, Right: true),
            new("cost at last", 13, Right: true),
            new("expected", 9, Right: true),
            new("fitted", 7, Right: true));
        foreach (GrowthCurve curve in report.Curves.Where(curve => curve.Refusal is null))
        {
            table.Add(
                curve.Cost,
                curve.Against,
                NumberText.Count((long)curve.Points[0].Size),
                NumberText.Count((long)curve.Points[^1].Size),
                Cost(curve, curve.Points[0].Cost),
                Cost(curve, curve.Points[^1].Cost),
                curve.ExpectedExponent.ToString("F2", CultureInfo.InvariantCulture),
                curve.FittedExponent.ToString("F2", CultureInfo.InvariantCulture));
        }

        table.Write(console);
        foreach (GrowthCurve curve in report.Curves.Where(curve => curve.Refusal is not null))
        {
            text.Line($"not timed: {curve.Cost}, {curve.Refusal}");
        }

        text.Line($"cost ~ size to the power of the exponent; {report.ThreadCount} threads, "
            + NumberText.Time(report.Elapsed));
    }

    private static string Cost(GrowthCurve curve, double cost) => curve.IsMemory
        ? string.Create(CultureInfo.InvariantCulture, $"{cost / 1e6:F2} MB")
        : BenchmarkTable.Duration(cost);
}
