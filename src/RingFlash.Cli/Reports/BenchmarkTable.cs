using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Benchmarks;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>A benchmark for people: the machine, its ceilings, a row per case, and how each floor is counted.</summary>
internal sealed class BenchmarkTable
{
    private const double FewThreadsHelp = 0.7;
    private const double BusyNeighbours = 0.15;

    private readonly IAnsiConsole _console;
    private readonly ReportText _text;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where to write.</param>
    public BenchmarkTable(IAnsiConsole console)
    {
        _console = console;
        _text = new ReportText(console);
    }

    /// <summary>Writes the report.</summary>
    /// <param name="report">The report.</param>
    public void Write(BenchmarkReport report)
    {
        WriteMachine(report.Machine);
        WriteCeilings(report);
        foreach (IGrouping<string, BenchmarkResult> shape in report.Results.GroupBy(result => result.Case.Shape))
        {
            _text.Blank();
            _text.Line(shape.Key);
            WriteCases([.. shape]);
            WriteFloors([.. shape]);
        }

        _text.Blank();
        foreach (BenchmarkResult refused in report.Refused)
        {
            _text.Line(
                $"not timed: {refused.Case.Label}: vector512 does not have the scalar bits: {refused.Refusal}",
                VerifyReportTable.StyleOf(Reference.Verification.Verdict.Failed));
        }

        int timed = report.Results.Count - report.Refused.Count();
        _text.Line(
            $"{timed} of {report.Results.Count} cases timed in {NumberText.Time(report.Elapsed)}; "
            + $"{NumberText.Count(report.Results.Sum(result => (long)result.ComparedOutputs))} outputs had the scalar "
            + "bits before timing");
    }

    /// <summary>Writes what the figures belong to.</summary>
    /// <param name="machine">The machine.</param>
    public void WriteMachine(MachineDescription machine) => _text.Line(string.Create(
        CultureInfo.InvariantCulture,
        $"{machine.Processor}, {machine.LogicalProcessors} processors, {machine.InstructionSet}, last-level cache "
        + $"{NumberText.Memory(machine.LastLevelCacheBytes)}; {machine.Runtime}, {machine.OperatingSystem}; "
        + $"{machine.Date:yyyy-MM-dd HH:mm} UTC"));

    private void WriteCeilings(BenchmarkReport report)
    {
        foreach (Ceiling ceiling in report.Ceilings)
        {
            _text.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{ceiling.Threads} thread{(ceiling.Threads > 1 ? "s" : string.Empty)}: reads "
                + $"{ceiling.ReadBytesPerSecond / 1e9:F1} GB/s, multiplies and adds "
                + $"{ceiling.OperationsPerSecond / 1e9:F0} GFLOP/s"));
        }

        _text.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"beside the cases: reads {report.CeilingOfRounds.ReadBytesPerSecond / 1e9:F1} GB/s, multiplies and adds "
            + $"{report.CeilingOfRounds.OperationsPerSecond / 1e9:F0} GFLOP/s (medians)"));
        Ceiling one = report.Ceilings[0], all = report.Ceilings[^1];
        double scaling = all.OperationsPerSecond / one.OperationsPerSecond;
        if (scaling < FewThreadsHelp * all.Threads)
        {
            _text.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"note: {all.Threads} threads compute only {scaling:F1} times as fast as one: they "
                + $"share processors, or neighbours use them"));
        }

        if (report.OtherProcessors is > BusyNeighbours)
        {
            _text.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"note: other processes used {report.OtherProcessors:F1} of {report.Machine.LogicalProcessors} "
                + $"processors meanwhile; trust the shares more than the speeds, and neither much"));
        }
    }

    private void WriteCases(IReadOnlyList<BenchmarkResult> results)
    {
        ReportTable table = new(
            new("operator", 25),
            new("size", 10),
            new("time", 10, Right: true),
            new("GFLOP/s", 8, Right: true),
            new("GB/s", 7, Right: true),
            new("floor", 5),
            new("of it", 5, Right: true),
            new("quartiles", 13),
            new("threads", 7, Right: true));
        foreach (BenchmarkResult result in results)
        {
            if (result.Refusal is null)
            {
                table.Add(
                    result.Case.Operator,
                    result.Case.Size,
                    Duration(result.Seconds.Median),
                    Rate(result.OperationsPerSecond),
                    Rate(result.BytesPerSecond),
                    result.IsReadBound ? "read" : "FMA",
                    Share(result.Share.Median),
                    $"{Share(result.Share.Lower)} … {Share(result.Share.Upper)}",
                    result.Scaling is { } scaling ? $"× {Share(scaling.Median)}" : "-");
            }
            else
            {
                table.Add(result.Case.Operator, result.Case.Size, "-", "-", "-", "-", "-", "check failed", "-");
            }
        }

        table.Write(_console);
    }

    private void WriteFloors(IReadOnlyList<BenchmarkResult> results)
    {
        if (results.Any(result => result.Scaling is not null))
        {
            _text.Line("threads: how many times as fast as on one thread, where computing is the floor");
        }

        _text.Line("floors: the longer of bytes at the read bandwidth and operations at the FMA rate");
        foreach (BenchmarkCase first in results.Select(result => result.Case).DistinctBy(next => next.Operator))
        {
            _text.Line($"  {first.Operator}: {first.Floor}");
        }
    }

    /// <summary>A duration of a call.</summary>
    /// <param name="seconds">Seconds.</param>
    /// <returns>E.g. <c>1.234 ms</c>.</returns>
    public static string Duration(double seconds) => seconds switch
    {
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F1} µs"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:F2} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:F3} s"),
    };

    private static string Rate(double value) => string.Create(CultureInfo.InvariantCulture, $"{value / 1e9:F1}");

    private static string Share(double value) => string.Create(CultureInfo.InvariantCulture, $"{value:F2}");
}
