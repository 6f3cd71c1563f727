using System;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Numerics;
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
