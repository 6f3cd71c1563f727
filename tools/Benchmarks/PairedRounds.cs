using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;

namespace RingFlash.Benchmarks;

/// <summary>Times several actions in alternation and reports medians of the ratios within a round.</summary>
internal sealed class PairedRounds
{
    private static readonly TimeSpan CompilerTime = TimeSpan.FromMilliseconds(500);

    private readonly List<(string Name, Func<double> Milliseconds)> contenders = [];

    /// <summary>
    /// Rest between contenders, so that threads which spin after their work do not disturb the next one.
    /// </summary>
    public int PauseMilliseconds { get; init; }

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
        foreach (Result result in Measure(rounds, Math.Min(warmUps, rounds)))
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {result.Name,-52} {result.Median,9:F3} ms (best {result.Best,8:F3}) "
                + $"{result.Ratio,7:F2} × [{result.LowerQuartile:F2} … {result.UpperQuartile:F2}]"));
        }
    }

    /// <summary>Runs.</summary>
    /// <param name="rounds">Rounds after the warm-up.</param>
    /// <param name="warmUps">Rounds before, not counted; more where they take so little time that the compiler has not
    /// yet made its last version.</param>
    /// <returns>One per contender, in the order in which they were added.</returns>
    public Result[] Measure(int rounds, int warmUps)
    {
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < warmUps || Stopwatch.GetElapsedTime(start) < CompilerTime; round++)
        {
            contenders.ForEach(contender => contender.Milliseconds());
        }

        double[][] times = [.. contenders.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int turn = 0; turn < contenders.Count; turn++)
            {
                // Every other round goes backwards: nobody always comes after the same one, into its caches.
                int index = round % 2 == 0 ? turn : contenders.Count - 1 - turn;
                System.Threading.Thread.Sleep(PauseMilliseconds);
                times[index][round] = contenders[index].Milliseconds();
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
