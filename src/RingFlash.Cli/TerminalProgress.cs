using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli;

/// <summary>One moving line while a person waits; it is gone when the report begins.</summary>
internal sealed class TerminalProgress : IProgress<VerifyProgress>
{
    private readonly ProgressTask _task;

    private TerminalProgress(ProgressTask task) => _task = task;

    /// <summary>Runs work and shows where it stands.</summary>
    /// <param name="context">The outside world; its output is a terminal.</param>
    /// <param name="work">The work.</param>
    /// <returns>What the work returns.</returns>
    public static VerifyReport Run(ToolContext context, Func<IProgress<VerifyProgress>, VerifyReport> work) =>
        ReportConsole.CreateLive(context.Output, context.Colour)
            .Progress()
            .AutoClear(true)
            .Columns(
                new SpinnerColumn(),
                new PercentageColumn(),
                new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(live => work(new TerminalProgress(live.AddTask("starting"))));

    /// <summary>Checks properties and shows which; nothing is shown where nobody watches.</summary>
    /// <param name="context">The outside world.</param>
    /// <param name="properties">The properties.</param>
    /// <param name="check">Checks one.</param>
    /// <returns>Their reports, in order.</returns>
    public static IReadOnlyList<PropertyReport> Run(
        ToolContext context,
        IReadOnlyList<ObjectiveProperty> properties,
        Func<ObjectiveProperty, PropertyReport> check)
    {
        if (!context.OutputIsTerminal)
        {
            return [.. properties.Select(check)];
        }

        return ReportConsole.CreateLive(context.Output, context.Colour)
            .Progress()
            .AutoClear(true)
            .Columns(
                new SpinnerColumn(),
                new PercentageColumn(),
                new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(live =>
            {
                ProgressTask task = live.AddTask("starting", maxValue: properties.Count);
                List<PropertyReport> reports = [];
                foreach (ObjectiveProperty property in properties)
                {
                    task.Description = Markup.Escape($"{property.Number} {property.Statement}");
                    reports.Add(check(property));
                    task.Increment(1);
                }

                return reports;
            });
    }

    /// <inheritdoc/>
    public void Report(VerifyProgress value)
    {
        string text = $"{value.Run}/{value.Runs} {value.Case} {value.Engine} {VerifyReport.ModeWord(value.Mode)}: "
            + value.Step;
        _task.Description = Markup.Escape(InvalidInputException.Escape(text));
        double done = (value.Run - 1 + Math.Clamp(value.Fraction, 0, 1)) / Math.Max(1, value.Runs);
        _task.Value = 100 * done;
    }
}
