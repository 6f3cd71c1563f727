using System;
using System.Globalization;
using System.IO;
using System.Linq;

namespace RingFlash.Reference.Benchmarks;

/// <summary>How much of the machine other processes use; their noise explains odd figures better than anything
/// else.</summary>
internal sealed class OtherLoad
{
    private const string StatisticsFile = "/proc/stat";
    private const double TicksPerSecond = 100; // USER_HZ, the same on every Linux
    private readonly long started = Environment.TickCount64;
    private readonly double? before = BusySeconds();

    /// <summary>Processors in use by others since this object was made.</summary>
    /// <returns>The average; null where the system does not say.</returns>
    public double? Processors()
    {
        double elapsed = (Environment.TickCount64 - started) / 1000.0;
        return before is { } start && BusySeconds() is { } now && elapsed > 0
            ? Math.Max(0, (now - start) / elapsed)
            : null;
    }

    /// <summary>Seconds that all processors worked, less this process' own.</summary>
    private static double? BusySeconds()
    {
        if (!File.Exists(StatisticsFile))
        {
            return null;
        }

        // cpu user nice system idle iowait irq softirq steal …
        double[] fields = [.. File.ReadLines(StatisticsFile).First()
            .Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8)
            .Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
        return ((fields.Sum() - fields[3] - fields[4]) / TicksPerSecond) - Environment.CpuUsage.TotalTime.TotalSeconds;
    }
}
