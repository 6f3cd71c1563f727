using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>
/// Times every hot operator against what this machine can do at most. In each round the operator and its ceilings run
/// side by side, so that neighbours' noise meets both; what is reported is the median over rounds of their ratio.
/// </summary>
public static class Benchmark
{
    private const int ResponseTokens = 4096;
    private const long SmallestCeilingMemory = 256L << 20;

    /// <summary>Measures.</summary>
    /// <param name="options">What.</param>
    /// <param name="progress">Told where the work stands; or null.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>The report.</returns>
    /// <exception cref="EnvironmentException">There is too little memory.</exception>
    public static BenchmarkReport Run(
        BenchmarkOptions options, IProgress<BenchmarkProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        long started = Stopwatch.GetTimestamp();
        OtherLoad others = new();
        MachineDescription machine = MachineDescription.Read();
        long rotation = options.RotationBytes ?? BenchmarkInputs.RotationBytes(machine.LastLevelCacheBytes);
        IReadOnlyList<BenchmarkCase> cases = Cases(options, rotation);
        long ceilingMemory = options.RotationBytes ?? Math.Max(rotation, SmallestCeilingMemory);
        RequireMemory(options, cases, ceilingMemory);

        progress?.Report(new(0, cases.Count, "ceilings of this machine"));
        IReadOnlyList<Ceiling> ceilings =
            MachineCeilings.Measure(options.ThreadCount, ceilingMemory, options.FewestRounds);
        using WorkerPool workers = new(options.ThreadCount);
        using MachineCeilings machineCeilings = new(workers, ceilingMemory);
        using BenchmarkInputs inputs = new(workers, rotation);
        PairedMeasurement measurement = new(options, workers, machineCeilings, ceilings[^1]);
        List<BenchmarkResult> results = [];
        foreach (BenchmarkCase next in cases)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new(results.Count, cases.Count, next.Label));
            inputs.ReleaseUnless(next.Weights);
            GC.Collect(); // the last case's arrays; later it would be this case's time, and memory that nobody counted
            results.Add(Measure(next, inputs, measurement, options));
        }

        return new BenchmarkReport(
            machine, ceilings, measurement.OfRounds, results, others.Processors(), Stopwatch.GetElapsedTime(started));
    }

    /// <summary>The cases that a run would measure.</summary>
    /// <param name="options">The options.</param>
    /// <returns>Their labels, in order.</returns>
    public static IReadOnlyList<string> Labels(BenchmarkOptions options) =>
        [.. Cases(options, rotation: 1).Select(next => next.Label)];

    /// <summary>All cases that the options ask for.</summary>
    /// <param name="options">The options.</param>
    /// <param name="rotation">Bytes of a set of inputs.</param>
    /// <returns>The cases, those with the same weights next to each other.</returns>
    internal static IReadOnlyList<BenchmarkCase> Cases(BenchmarkOptions options, long rotation)
    {
        ArgumentNullException.ThrowIfNull(options);
        IEnumerable<BenchmarkCase> all = options.Shapes.SelectMany(shape => (BenchmarkCase[])
        [
            .. ProjectionCases.Projections(shape, options.Rows, rotation),
            .. ProjectionCases.Experts(shape, options.Rows, rotation),
            .. AttentionCases.For(shape, options.IsQuick, rotation),
            .. ElementwiseCases.For(shape, options.PromptTokens, rotation),
            SyntheticCases.For(shape),
            .. ModelCases.For(shape, options.IsQuick),
        ]);
        return [.. all.Append(ObjectiveCases.For(options.Rollouts, ResponseTokens, rotation))
            .Where(next => next.Label.Contains(options.Filter, StringComparison.OrdinalIgnoreCase))];
    }

    private static BenchmarkResult Measure(
        BenchmarkCase next, BenchmarkInputs inputs, PairedMeasurement measurement, BenchmarkOptions options)
    {
        PreparedCase prepared = next.Prepare(inputs);
        SampledOutputs outputs = prepared.Check();
        options.Spoil?.Invoke(next.Operator, outputs.Vector512);
        string? difference = outputs.Difference();
        return difference is null
            ? new(next, null, outputs.Scalar.Length, measurement.Run(next, prepared.Run))
            : new(next, difference, 0, []);
    }

    private static void RequireMemory(BenchmarkOptions options, IReadOnlyList<BenchmarkCase> cases, long ceilings)
    {
        BenchmarkCase? largest = cases.MaxBy(next => next.Memory);
        long needed = ceilings + (largest?.Memory ?? 0);
        long available = options.AvailableMemoryBytes ?? MachineDescription.AvailableMemory();
        if (needed > available)
        {
            throw new EnvironmentException(
                largest?.Label ?? "ceilings",
                FormattableString.Invariant(
                    $"needs {needed / 1e9:F2} GB of memory and {available / 1e9:F2} GB are available; ")
                + "choose fewer cases with --filter, or --quick");
        }
    }
}
