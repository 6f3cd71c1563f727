using System;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Numerics;
using Spectre.Console;

namespace RingFlash.Cli;

/// <summary>One moving line while a benchmark runs on a terminal; gone when the report begins.</summary>
internal sealed class BenchmarkLine : IProgress<BenchmarkProgress>
{
    private readonly ProgressTask _task;

    private BenchmarkLine(ProgressTask task) => _task = task;

    /// <summary>Runs work and, on a terminal, shows where it stands.</summary>
    /// <typeparam name="T">What the work returns.</typeparam>
    /// <param name="context">The outside world.</param>
    /// <param name="work">The work.</param>
    /// <returns>What the work returns.</returns>
    public static T Run<T>(ToolContext context, Func<IProgress<BenchmarkProgress>?, T> work) =>
        !context.OutputIsTerminal
            ? work(null)
            : ReportConsole.CreateLive(context.Output, context.Colour)
                .Progress()
                .AutoClear(true)
                .AutoRefresh(false) // a thread that draws would disturb what is timed
                .Columns(
                    new PercentageColumn(),
                    new TaskDescriptionColumn { Alignment = Justify.Left })
                .Start(live =>
                {
                    ProgressTask task = live.AddTask("starting");
                    BenchmarkLine line = new(task) { Redraw = live.Refresh };
                    return work(line);
                });

    private Action Redraw { get; init; } = () => { };

    /// <inheritdoc/>
    public void Report(BenchmarkProgress value)
    {
        _task.Description = Markup.Escape(InvalidInputException.Escape(value.Step));
        _task.Value = 100.0 * value.Done / Math.Max(1, value.Count);
        Redraw();
    }
}
