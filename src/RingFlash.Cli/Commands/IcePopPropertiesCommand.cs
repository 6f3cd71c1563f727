using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Properties;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop properties</c>: P1 to P54 on random cases, of this library or of somebody's
/// loss.</summary>
internal static class IcePopPropertiesCommand
{
    private const int MostCases = 10_000_000;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string?> program = new("--program")
        {
            Description = "Your loss: a program that reads cases and writes answers, one line of JSON each.",
            HelpName = "COMMAND",
        };
        Option<int> count = new("--count")
        {
            Description = "Cases for each property.",
            HelpName = "N",
            DefaultValueFactory = _ => 1000,
        };
        Option<string> seed = new("--seed")
        {
            Description = "The seed of the first case: decimal, or hexadecimal after 0x.",
            HelpName = "S",
            DefaultValueFactory = _ => "1",
        };
        Option<string?> only = new("--only") { Description = "These properties only: P10,P12.", HelpName = "NUMBERS" };
        Option<string> tolerance = new("--tolerance")
        {
            Description = "strict (float64 and equal bits where stated) or single (a float32 loss).",
            HelpName = "WORD",
            DefaultValueFactory = _ => "strict",
        };
        Option<string?> json = new("--json") { Description = "Write every verdict as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "properties",
            "Checks P1 to P54 on random cases: without --program those of this library, with it those of your loss.",
            "ringflash icepop properties",
            "ringflash icepop properties --program \"python3 my_loss.py\" --tolerance single --json verdicts.json",
            "ringflash icepop properties --only P17 --seed 0x22d382a73da887c1 --count 1   # one case again")
        {
            program, count, seed, only, tolerance, json,
        };
        command.SetAction((parsed, cancellation) =>
        {
            string? name = parsed.GetValue(program);
            PropertyRun run = new()
            {
                Program = name,
                Count = Count(parsed.GetValue(count)),
                Seed = Seed(parsed.GetValue(seed)!),
                ToleranceWord = parsed.GetValue(tolerance)!,
                Tolerance = Tolerance(parsed.GetValue(tolerance)!),
                Properties = Select(parsed.GetValue(only), name is not null),
            };
            string? file = OutputFile.Check(parsed.GetValue(json), "--json", context.CurrentDirectory, []);
            return Task.FromResult(Run(run, file, context, cancellation));
        });
        return command;
    }

    private static int Run(PropertyRun run, string? json, ToolContext context, CancellationToken cancellation)
    {
        IReadOnlyList<PropertyReport> reports = Reports(run, context, cancellation);
        PropertyRunReport.Write(context.Output, context.Colour, run, reports);
        if (json is not null)
        {
            AtomicFile.Write(json, stream => PropertyRunReport.WriteJson(stream, run, reports));
        }

        bool held = reports.Any(report => report.Verdict == PropertyVerdict.Pass)
            && reports.All(report => report.Verdict != PropertyVerdict.Fail);
        return held ? ExitCodes.WithinBudget : ExitCodes.OverBudget;
    }

    private static IReadOnlyList<PropertyReport> Reports(
        PropertyRun run, ToolContext context, CancellationToken cancellation)
    {
        using ExternalLoss? external = Start(run.Program, context);
        LossUnderTest loss = external is null ? ObjectivePropertySuite.Reference : external.Evaluate;
        try
        {
            return TerminalProgress.Run(context, run.Properties, property => ObjectivePropertySuite.Run(
                property,
                loss,
                run.Seed,
                run.Count,
                run.Tolerance,
                caseSeed =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (external is not null)
                    {
                        external.CaseName = string.Create(
                            CultureInfo.InvariantCulture, $"{property.Number} 0x{caseSeed:x16}");
                    }
                }));
        }
        catch (InvalidInputException) when (cancellation.IsCancellationRequested)
        {
            // Ctrl-C reaches the program as well, and its end is not its fault.
            throw new OperationCanceledException(cancellation);
        }
    }

    private static ExternalLoss? Start(string? program, ToolContext context)
    {
        try
        {
            return program is null ? null : ExternalLoss.Start(program, context.CurrentDirectory, context.Error);
        }
        catch (ArgumentException exception)
        {
            throw new UsageException($"--program: {exception.Message}");
        }
    }

    private static int Count(int count) => count is > 0 and <= MostCases
        ? count
        : throw new UsageException($"--count {count}: from 1 to {MostCases}");

    private static ulong Seed(string text)
    {
        bool hexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool good = ulong.TryParse(
            hexadecimal ? text.AsSpan(2) : text,
            hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture,
            out ulong seed);
        return good ? seed : throw new UsageException($"--seed {text}: must be a number of 64 bits, such as 7 or 0x1f");
    }

    private static LossTolerance Tolerance(string word) => word switch
    {
        "strict" => LossTolerance.Strict,
        "single" => LossTolerance.Single,
        _ => throw new UsageException($"--tolerance {word}: must be strict or single"),
    };

    private static IReadOnlyList<ObjectiveProperty> Select(string? only, bool lossesOnly)
    {
        string[] numbers = only is null ? [] : [.. CommaList.Split(only, "--only")];
        foreach (string number in numbers)
        {
            if (!ObjectivePropertySuite.All.Any(property => property.Number == number))
            {
                throw new UsageException($"--only {number}: the properties are P1 to P54");
            }
        }

        ObjectiveProperty[] selected =
        [
            .. ObjectivePropertySuite.All
                .Where(property => numbers.Length == 0 || numbers.Contains(property.Number))
                .Where(property => !lossesOnly || property.Subject == PropertySubject.Loss),
        ];
        return selected.Length > 0
            ? selected
            : throw new UsageException($"--only {only}: about this library's operators, so no program can be asked");
    }
}

/// <summary>What was asked for.</summary>
internal sealed record PropertyRun
{
    /// <summary>The program, or null for this library.</summary>
    public required string? Program { get; init; }

    /// <summary>Cases for each property.</summary>
    public required int Count { get; init; }

    /// <summary>The seed of the first case.</summary>
    public required ulong Seed { get; init; }

    /// <summary>strict or single.</summary>
    public required string ToleranceWord { get; init; }

    /// <summary>What the word means.</summary>
    public required LossTolerance Tolerance { get; init; }

    /// <summary>The properties, in order.</summary>
    public required IReadOnlyList<ObjectiveProperty> Properties { get; init; }
}
