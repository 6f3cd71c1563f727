using System;
using System.Collections.Generic;
using System.Diagnostics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Rounds of an operator and its ceilings, side by side.</summary>
internal sealed class PairedMeasurement
{
    // A sample shorter than this would measure the clock and the start of threads.
    private const double ShortestSample = 2e-3;
    private const double LongestCeiling = 8e-3;

    // A ceiling that is this far below the other one cannot be the floor, whatever the noise.
    private const double FarFromBinding = 4;

    // Where one thread is timed too. A fixed intensity and not the measured ceilings, so that a busy machine measures
    // the same cases as a quiet one; of the machines seen, computing is the floor from about 6 operations a byte on.
    private const double ComputingOperationsPerByte = 6;

    private const double WarmUpSeconds = 0.1;
    private const int WarmUpCalls = 40; // the runtime recompiles a method after thirty calls

    private readonly BenchmarkOptions options;
    private readonly WorkerPool workers;
    private readonly MachineCeilings machine;
    private readonly Ceiling ceiling;
    private readonly List<double> readRates = [];
    private readonly List<double> computeRates = [];

    /// <summary>Binds the ceilings.</summary>
    /// <param name="options">How long to measure.</param>
    /// <param name="workers">The threads of operators and ceilings.</param>
    /// <param name="machine">Runs the ceilings.</param>
    /// <param name="ceiling">About how high they are.</param>
    public PairedMeasurement(
        BenchmarkOptions options, WorkerPool workers, MachineCeilings machine, Ceiling ceiling)
    {
        this.workers = workers;
        this.options = options;
        this.machine = machine;
        this.ceiling = ceiling;
    }

    /// <summary>The ceilings in all rounds so far; the first measurement where there was none.</summary>
    public Ceiling OfRounds => new(
        ceiling.Threads,
        readRates.Count == 0 ? ceiling.ReadBytesPerSecond : Quartiles.Of(readRates).Median,
        computeRates.Count == 0 ? ceiling.OperationsPerSecond : Quartiles.Of(computeRates).Median);

    /// <summary>Measures a case.</summary>
    /// <param name="next">Its bytes and operations.</param>
    /// <param name="run">Runs it once.</param>
    /// <returns>One sample per round.</returns>
    public IReadOnlyList<BenchmarkSample> Run(BenchmarkCase next, Action run)
    {
        Ceiling known = OfRounds;
        double reading = next.Bytes / known.ReadBytesPerSecond;
        double computing = next.Operations / known.OperationsPerSecond;
        int repeats = (int)Math.Ceiling(ShortestSample / WarmUp(run));
        bool comparesWithOne =
            workers.ThreadCount > 1 && next.Operations > ComputingOperationsPerByte * next.Bytes;
        List<BenchmarkSample> samples = [];
        long began = Stopwatch.GetTimestamp();
        while (samples.Count < options.FewestRounds
            || (samples.Count < options.MostRounds
                && Stopwatch.GetElapsedTime(began).TotalSeconds < options.SecondsPerCase))
        {
            // Every other round goes backwards: nobody always comes after the same one, into its caches.
            bool forwards = samples.Count % 2 == 0;
            double seconds = forwards ? Time(run, repeats) : 0;
            double? read = reading * FarFromBinding < computing ? null : Read(next.Bytes, reading * repeats);
            double? compute =
                computing * FarFromBinding < reading ? null : Compute(next.Operations, computing * repeats);
            double? alone = comparesWithOne ? Alone(run, repeats) : null;
            samples.Add(new(forwards ? seconds : Time(run, repeats), read, compute, alone));
        }

        return samples;
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

    private double Alone(Action run, int repeats)
    {
        int all = workers.ThreadCount;
        workers.Use(1);
        try
        {
            return Time(run, (repeats + all - 1) / all);
        }
        finally
        {
            workers.Use(all);
        }
    }

    private double WarmUp(Action run)
    {
        double fastest = double.PositiveInfinity;
        long began = Stopwatch.GetTimestamp();
        for (int call = 0; call < WarmUpCalls; call++)
        {
            fastest = Math.Min(fastest, Time(run, 1));
            if (Stopwatch.GetElapsedTime(began).TotalSeconds > (options.IsQuick ? WarmUpSeconds / 4 : WarmUpSeconds))
            {
                break;
            }
        }

        return Math.Max(fastest, 1e-7);
    }

    // A ceiling is a rate: a part of the bytes or operations is enough, and very few are too few.
    private double Read(double bytes, double expected)
    {
        double sampled = Math.Clamp(expected, ShortestSample / 2, LongestCeiling) * ceiling.ReadBytesPerSecond;
        double seconds = machine.Read(sampled);
        readRates.Add(sampled / seconds);
        return seconds * bytes / sampled;
    }

    private double Compute(double operations, double expected)
    {
        double sampled = Math.Clamp(expected, ShortestSample / 2, LongestCeiling) * ceiling.OperationsPerSecond;
        double seconds = machine.MultiplyAdd(sampled);
        computeRates.Add(sampled / seconds);
        return seconds * operations / sampled;
    }
}
