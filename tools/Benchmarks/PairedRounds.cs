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
        double[][] times = [.. contenders.Select(_ => new double[rounds])];
        for (int round = -warmUps; round < rounds; round++)
        {
            for (int index = 0; index < contenders.Count; index++)
            {
                double time = contenders[index].Milliseconds();
                if (round >= 0)
                {
                    times[index][round] = time;
                }
            }
        }

        for (int index = 0; index < contenders.Count; index++)
        {
            double[] ratios = [.. times[index].Select((time, round) => time / times[0][round]).Order()];
            double[] sorted = [.. times[index].Order()];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {contenders[index].Name,-52} {sorted[rounds / 2],9:F3} ms (best {sorted[0],8:F3}) "
                + $"{ratios[rounds / 2],7:F2} × [{ratios[rounds / 4]:F2} … {ratios[rounds * 3 / 4]:F2}]"));
        }
    }
}
