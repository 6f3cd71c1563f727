using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;

namespace RingFlash.Benchmarks;

/// <summary>Times several actions in alternation and reports medians of the ratios within a round.</summary>
internal sealed class PairedRounds
{
    private readonly List<(string Name, Func<double> Milliseconds)> contenders = [];

    /// <summary>Adds an action that is timed here.</summary>
    /// <param name="name">What it is called in the table.</param>
    /// <param name="action">The action.</param>
    public void Add(string name, Action action) => contenders.Add((name, () =>
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }));

    /// <summary>Adds a contender that times itself.</summary>
    /// <param name="name">What it is called in the table.</param>
    /// <param name="milliseconds">Runs once and returns its time.</param>
    public void AddTimed(string name, Func<double> milliseconds) => contenders.Add((name, milliseconds));

    /// <summary>Runs and prints: the median time of each, and the median ratio to the first.</summary>
    /// <param name="rounds">Rounds after the warm-up.</param>
    /// <param name="warmUps">Rounds that are not counted.</param>
    public void Run(int rounds, int warmUps = 40)
    {
<<<<<<< HEAD
        foreach (Result result in Measure(rounds, warmUps: 40))
=======
        double[][] times = [.. contenders.Select(_ => new double[rounds])];
        for (int round = -warmUps; round < rounds; round++)
>>>>>>> h-attention
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {result.Name,-52} {result.Median,9:F3} ms (best {result.Best,8:F3}) "
                + $"{result.Ratio,7:F2} × [{result.LowerQuartile:F2} … {result.UpperQuartile:F2}]"));
        }
    }

    /// <summary>Runs.</summary>
    /// <param name="rounds">Rounds after the warm-up.</param>
    /// <param name="warmUps">Rounds that are not counted.</param>
    /// <returns>One per contender, in the order in which they were added.</returns>
    public Result[] Measure(int rounds, int warmUps)
    {
        double[][] times = [.. contenders.Select(_ => new double[rounds])];
        for (int round = -warmUps; round < rounds; round++)
        {
            for (int turn = 0; turn < contenders.Count; turn++)
            {
                // Every other round goes backwards: nobody always comes after the same one, into its caches.
                int index = round % 2 == 0 ? turn : contenders.Count - 1 - turn;
                double time = contenders[index].Milliseconds();
                if (round >= 0)
                {
                    times[index][round] = time;
                }
            }
        }

        return [.. contenders.Select((contender, index) =>
        {
            double[] ratios = [.. times[index].Select((time, round) => time / times[0][round]).Order()];
            double[] sorted = [.. times[index].Order()];
            return new Result(
                contender.Name,
                sorted[rounds / 2],
                sorted[0],
                ratios[rounds / 2],
                ratios[rounds / 4],
                ratios[rounds * 3 / 4]);
        })];
    }

    /// <summary>What was measured of one contender.</summary>
    /// <param name="Name">What it is called in the table.</param>
    /// <param name="Median">Its median time in milliseconds.</param>
    /// <param name="Best">Its shortest time.</param>
    /// <param name="Ratio">The median over rounds of its time over the first contender's.</param>
    /// <param name="LowerQuartile">A quarter of the ratios are below.</param>
    /// <param name="UpperQuartile">A quarter of the ratios are above.</param>
    internal sealed record Result(
        string Name, double Median, double Best, double Ratio, double LowerQuartile, double UpperQuartile);
}
