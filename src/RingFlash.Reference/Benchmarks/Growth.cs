using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>
/// Whether cost grows as the work does: time and memory of a small model against tokens, context, experts and layers.
/// </summary>
public static class Growth
{
    private const double ShortestSample = 1e-3;
    private const int WarmUps = 3;
    private const long NeededMemory = 3L << 30;

    /// <summary>Measures.</summary>
    /// <param name="options">Threads, and whether fewer and smaller sizes are enough.</param>
    /// <param name="progress">Told where the work stands; or null.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>The curves.</returns>
    /// <exception cref="EnvironmentException">There is too little memory.</exception>
    public static GrowthReport Run(
        BenchmarkOptions options, IProgress<BenchmarkProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        long started = Stopwatch.GetTimestamp();
        long needed = options.IsQuick ? NeededMemory / 4 : NeededMemory;
        long available = options.AvailableMemoryBytes ?? MachineDescription.AvailableMemory();
        if (needed > available)
        {
            throw new EnvironmentException("bench growth", FormattableString.Invariant(
                $"needs {needed / 1e9:F2} GB of memory and {available / 1e9:F2} GB are available"));
        }

        MachineDescription machine = MachineDescription.Read();
        using WorkerPool workers = new(options.ThreadCount);
        using BenchmarkInputs inputs = new(workers, machine.LastLevelCacheBytes * (options.IsQuick ? 1 : 4));
        IReadOnlyList<GrowthSweep> sweeps = GrowthSweeps.For(options, inputs);
        List<GrowthCurve> curves = [];
        foreach (GrowthSweep sweep in sweeps)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new(curves.Count, sweeps.Count, $"{sweep.Cost} against {sweep.Against}"));
            curves.Add(Measure(sweep, options));
        }

        return new GrowthReport(machine, options.ThreadCount, curves, Stopwatch.GetElapsedTime(started));
    }

    private static GrowthCurve Measure(GrowthSweep sweep, BenchmarkOptions options)
    {
        GrowthCurve curve = new(sweep.Cost, sweep.Against, sweep.Bytes is not null, sweep.ExpectedExponent, []);
        if (sweep.Bytes is { } bytes)
        {
            return curve with { Points = [.. sweep.Sizes.Select(size => ((double)size, bytes(size)))] };
        }

        List<IDisposable> held = [];
        try
        {
            PreparedCase[] cases = [.. sweep.Sizes.Select(size => sweep.Prepare!(size, held))];
            for (int index = 0; index < cases.Length; index++)
            {
                SampledOutputs outputs = cases[index].Check();
                options.Spoil?.Invoke(sweep.Cost, outputs.Vector512);
                if (outputs.Difference() is { } difference)
                {
                    return curve with { Refusal = $"{sweep.Sizes[index]} {sweep.Against}: {difference}" };
                }
            }

            double[] seconds = Medians(cases, options);
            return curve with { Points = [.. sweep.Sizes.Select((size, index) => ((double)size, seconds[index]))] };
        }
        finally
        {
            held.ForEach(resource => resource.Dispose());
        }
    }

    /// <summary>All sizes in every round, so that a slow minute of the machine meets all of them.</summary>
    private static double[] Medians(PreparedCase[] cases, BenchmarkOptions options)
    {
        int rounds = options.IsQuick ? 3 : 9;
        int[] repeats = new int[cases.Length];
        double[][] seconds = new double[cases.Length][];
        for (int index = 0; index < cases.Length; index++)
        {
            double fastest = double.PositiveInfinity;
            for (int call = 0; call < WarmUps; call++)
            {
                fastest = Math.Min(fastest, Time(cases[index].Run, 1));
            }

            repeats[index] = (int)Math.Ceiling(ShortestSample / Math.Max(fastest, 1e-7));
            seconds[index] = new double[rounds];
        }

        for (int round = 0; round < rounds; round++)
        {
            for (int index = 0; index < cases.Length; index++)
            {
                seconds[index][round] = Time(cases[index].Run, repeats[index]);
            }
        }

        return [.. seconds.Select(samples => Quartiles.Of(samples).Median)];
    }

    private static double Time(Action run, int repeats)
    {
        long began = Stopwatch.GetTimestamp();
        for (int repeat = 0; repeat < repeats; repeat++)
        {
            run();
        }

        return Stopwatch.GetElapsedTime(began).TotalSeconds / repeats;
    }
}
