using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// Products with packed weights at the model's shapes, for one token to a prompt, against what bounds them: reading the
/// weights once, and the rate of fused multiply-adds. Weights rotate over more memory than any cache.
/// </summary>
internal static class GemmBenchmark
{
    private const long RotatingBytes = 320_000_000;

    // Goals, by rows: fractions of the bound.
    private static readonly (int Rows, double Bar)[] Bars =
        [(1, 0.95), (4, 0.8), (8, 0.8), (16, 0.70), (32, 0.80), (128, 0.85), (512, 0.90)];

    /// <summary>Ring-flash-2.0: fused query, key and value; the shared expert's up; an expert's up. Ring-mini-2.0.
    /// </summary>
    private static readonly (string Name, int Inputs, int Outputs)[] Shapes =
    [
        ("flash qkv", 4096, 5120), ("flash 2048", 4096, 2048), ("flash expert up", 4096, 1024),
        ("mini qkv", 2048, 3072), ("mini expert up", 2048, 512),
    ];

    /// <summary>Runs.</summary>
    /// <param name="formats">bf16, f32 or fp8; empty for bf16.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string[] formats)
    {
        foreach (string format in formats.Length == 0 ? ["bf16"] : formats)
        {
            foreach ((string name, int inputs, int outputs) in Shapes)
            {
                using WorkerPool two = new(2), one = new(1);
                WeightMatrix[] weights = Weights(format, inputs, outputs, two);
                foreach (WorkerPool workers in new[] { one, two })
                {
                    Console.WriteLine(
                        $"{name}: K = {inputs}, N = {outputs}, {format} weights, {workers.ThreadCount} thread(s)");
                    foreach ((int rows, double bar) in Bars)
                    {
                        if (!Measure(workers, weights, rows, bar))
                        {
                            Console.Error.WriteLine($"{rows} rows do not have the scalar bits; nothing is timed");
                            return 4;
                        }
                    }
                }

                foreach (WeightMatrix weight in weights)
                {
                    weight.Unpack();
                }
            }
        }

        return 0;
    }

    private static bool Measure(WorkerPool workers, WeightMatrix[] weights, int rows, double bar)
    {
        int inputs = weights[0].Inputs, outputs = weights[0].Outputs;
        Random random = new(rows);
        float[] x = [.. Enumerable.Range(0, rows * inputs).Select(_ => random.NextSingle() - 0.5f)];
        float[] y = new float[rows * outputs];
        if (!SameBits(workers, x, weights[^1], y))
        {
            return false;
        }

        int turn = 0;
        long multiplyAdds = (long)rows * inputs * outputs;
        PairedRounds rounds = new();
        Bound bound = new(workers);
        rounds.AddTimed("bound", () => bound.Milliseconds(multiplyAdds, [weights[++turn % weights.Length]]));

        // Half a rotation away from what the bound has just read into the cache.
        rounds.AddTimed("vector512", () => Bound.Time(workers, () => LinearProjection.Vectorised<Float32Precision>(
            workers, x, weights[(turn + (weights.Length / 2)) % weights.Length], [], y)));
        Report(
            $"M = {rows}",
            rounds.Measure(rows >= 128 ? 15 : 41, warmUps: rows >= 128 ? 3 : 15),
            bound,
            bar,
            multiplyAdds,
            weights[0].Panels!.ByteCount);
        return true;
    }

    /// <summary>Prints each contender's share of the bound.</summary>
    /// <param name="label">The case.</param>
    /// <param name="results">The bound first.</param>
    /// <param name="bound">What bounds.</param>
    /// <param name="bar">The share wanted.</param>
    /// <param name="multiplyAdds">Of the product.</param>
    /// <param name="bytes">Of the weights.</param>
    public static void Report(
        string label, PairedRounds.Result[] results, Bound bound, double bar, long multiplyAdds, long bytes)
    {
        foreach (PairedRounds.Result result in results.Skip(1))
        {
            double share = 1 / result.Ratio;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {label,-10} {result.Name,-10} {share:F2} [{1 / result.UpperQuartile:F2} … "
                + $"{1 / result.LowerQuartile:F2}] of {bound.Name}, best to best {results[0].Best / result.Best:F2}"
                + $"; goal {bar:F2}{(share < bar ? ", BELOW" : string.Empty)}; best {result.Best:F3} ms, "
                + $"{2e-6 * multiplyAdds / result.Best:F0} GFLOP/s, {1e-6 * bytes / result.Best:F1} GB/s"));
        }
    }

    private static WeightMatrix[] Weights(string format, int inputs, int outputs, WorkerPool workers)
    {
        int bytes = format switch { "bf16" => 2, "f32" => 4, "fp8" => 1, _ => throw new ArgumentException(format) };
        int count = 2 + (int)(RotatingBytes / ((long)inputs * outputs * bytes));
        List<WeightMatrix> weights = [];
        for (int index = 0; index < count; index++)
        {
            WeightMatrix weight = RandomWeight.Create(format, outputs, inputs, index);
            weight.Pack(workers);
            weights.Add(weight);
        }

        return [.. weights];
    }

    /// <summary>Compares a few rows, the first and last among them, with the scalar definition.</summary>
    private static bool SameBits(WorkerPool workers, float[] x, WeightMatrix weight, float[] y)
    {
        LinearProjection.Vectorised<Float32Precision>(workers, x, weight, [], y);
        int rows = x.Length / weight.Inputs;
        float[] expected = new float[weight.Outputs];
        foreach (int row in new SortedSet<int> { 0, rows / 3, rows / 2, rows - 1 })
        {
            LinearProjection.Scalar<Float32Precision>(
                workers, x.AsSpan(row * weight.Inputs, weight.Inputs), weight, [], expected);
            if (!expected.AsSpan().SequenceEqual(y.AsSpan(row * weight.Outputs, weight.Outputs)))
            {
                return false;
            }
        }

        return true;
    }
}
