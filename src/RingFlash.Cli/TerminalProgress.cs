using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli;

/// <summary>One moving line while a person waits; it is gone when the report begins.</summary>
internal static class TerminalProgress
{
    /// <summary>Runs work and shows where it stands; without a terminal it only runs it.</summary>
    /// <typeparam name="TProgress">What the work reports on the way.</typeparam>
    /// <typeparam name="TResult">What it returns.</typeparam>
    /// <param name="context">The outside world.</param>
    /// <param name="describe">A line, and the share that is done, 0 … 1.</param>
    /// <param name="work">The work; gets null where nobody watches.</param>
    /// <returns>What the work returns.</returns>
    public static TResult Run<TProgress, TResult>(
        ToolContext context,
        Func<TProgress, (string Text, double Fraction)> describe,
        Func<IProgress<TProgress>?, TResult> work) =>
        !context.OutputIsTerminal
            ? work(null)
            : ReportConsole.CreateLive(context.Output, context.Colour)
                .Progress()
                .AutoClear(true)
                .Columns(
                    new SpinnerColumn(),
                    new PercentageColumn(),
                    new TaskDescriptionColumn { Alignment = Justify.Left })
                .Start(live => work(new Line<TProgress>(live.AddTask("starting"), describe)));

    /// <summary>Runs a verification and shows where it stands.</summary>
    /// <param name="context">The outside world.</param>
    /// <param name="work">The verification.</param>
    /// <returns>Its report.</returns>
    public static VerifyReport Run(ToolContext context, Func<IProgress<VerifyProgress>?, VerifyReport> work) =>
        Run<VerifyProgress, VerifyReport>(context, Describe, work);

    /// <summary>Checks properties and shows which.</summary>
    /// <param name="context">The outside world.</param>
    /// <param name="properties">The properties.</param>
    /// <param name="check">Checks one.</param>
    /// <returns>Their reports, in order.</returns>
    public static IReadOnlyList<PropertyReport> Run(
        ToolContext context,
        IReadOnlyList<ObjectiveProperty> properties,
        Func<ObjectiveProperty, PropertyReport> check) =>
        Run<(ObjectiveProperty Property, int Done), IReadOnlyList<PropertyReport>>(
            context,
            at => ($"{at.Property.Number} {at.Property.Statement}", (double)at.Done / properties.Count),
            progress =>
            [
                .. properties.Select((property, index) =>
                {
                    progress?.Report((property, index));
                    return check(property);
                }),
            ]);

    /// <summary>Runs a benchmark and shows where it stands.</summary>
    /// <typeparam name="TReport">What it returns.</typeparam>
    /// <param name="context">The outside world.</param>
    /// <param name="work">The benchmark.</param>
    /// <returns>Its report.</returns>
    public static TReport Run<TReport>(ToolContext context, Func<IProgress<BenchmarkProgress>?, TReport> work) =>
        Run<BenchmarkProgress, TReport>(
            context, at => (at.Step, (double)at.Done / Math.Max(1, at.Count)), work);

    private static (string Text, double Fraction) Describe(VerifyProgress value) => (
        $"{value.Run}/{value.Runs} {value.Case} {value.Engine} {VerifyReport.ModeWord(value.Mode)}: {value.Step}",
        (value.Run - 1 + Math.Clamp(value.Fraction, 0, 1)) / Math.Max(1, value.Runs));

    private sealed class Line<TProgress>(
        ProgressTask task, Func<TProgress, (string Text, double Fraction)> describe) : IProgress<TProgress>
    {
        public void Report(TProgress value)
        {
            (string text, double fraction) = describe(value);
            task.Description = Markup.Escape(InvalidInputException.Escape(text));
            task.Value = 100 * fraction;
        }
    }
}
