using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Benchmarks;

/// <summary>One round of a case: it and its ceilings, side by side.</summary>
/// <param name="Seconds">The operator, one call.</param>
/// <param name="ReadSeconds">Reading as many bytes; null where that is far from binding and was not measured.</param>
/// <param name="ComputeSeconds">As many operations; null where that is far from binding.</param>
/// <param name="SecondsAlone">The operator on one thread; null where it does little to a byte, or no other thread
/// takes part.</param>
public sealed record BenchmarkSample(
    double Seconds, double? ReadSeconds, double? ComputeSeconds, double? SecondsAlone = null)
{
    /// <summary>The floor's share of the time: 1 is as fast as possible.</summary>
    public double Share => Math.Max(ReadSeconds ?? 0, ComputeSeconds ?? 0) / Seconds;
}

/// <summary>What was measured of a case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Refusal">Why it was not timed; null when it was.</param>
/// <param name="ComparedOutputs">Outputs that had the scalar bits.</param>
/// <param name="Samples">One per round; empty when it was not timed.</param>
public sealed record BenchmarkResult(
    BenchmarkCase Case, string? Refusal, int ComparedOutputs, IReadOnlyList<BenchmarkSample> Samples)
{
    /// <summary>The time of one call.</summary>
    public Quartiles Seconds { get; } = Of(Samples, sample => sample.Seconds);

    /// <summary>The floor's share of the time, round by round.</summary>
    public Quartiles Share { get; } = Of(Samples, sample => sample.Share);

    /// <summary>How many times as fast as on one thread, round by round; null where that was not measured.</summary>
    public Quartiles? Scaling { get; } = Samples.Any(sample => sample.SecondsAlone is not null)
        ? Of(Samples, sample => sample.SecondsAlone!.Value / sample.Seconds)
        : null;

    /// <summary>Whether reading bounds it, and not computing.</summary>
    public bool IsReadBound { get; } =
        Of(Samples, sample => sample.ReadSeconds ?? 0).Median
        >= Of(Samples, sample => sample.ComputeSeconds ?? 0).Median;

    /// <summary>Operations a second.</summary>
    public double OperationsPerSecond => Case.Operations / Seconds.Median;

    /// <summary>Bytes a second.</summary>
    public double BytesPerSecond => Case.Bytes / Seconds.Median;

    private static Quartiles Of(IReadOnlyList<BenchmarkSample> samples, Func<BenchmarkSample, double> value) =>
        samples.Count == 0 ? new(double.NaN, double.NaN, double.NaN) : Quartiles.Of(samples.Select(value));
}

/// <summary>A whole run.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Ceilings">Its ceilings on 1, 2, 4 … threads, before the cases ran.</param>
/// <param name="CeilingOfRounds">The ceilings on as many threads as the cases ran on, over all their rounds.</param>
/// <param name="Results">One per case, in order.</param>
/// <param name="OtherProcessors">Processors that other processes used meanwhile, on average; null where the system
/// does not say.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record BenchmarkReport(
    MachineDescription Machine,
    IReadOnlyList<Ceiling> Ceilings,
    Ceiling CeilingOfRounds,
    IReadOnlyList<BenchmarkResult> Results,
    double? OtherProcessors,
    TimeSpan Elapsed)
{
    /// <summary>Cases that were not timed because their check failed.</summary>
    public IEnumerable<BenchmarkResult> Refused => Results.Where(result => result.Refusal is not null);
}
