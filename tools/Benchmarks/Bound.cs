using System;
using System.Collections.Generic;
using System.Diagnostics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>
/// The least time a product can take: the longer of reading its weights once and of doing its multiply-adds, both
/// measured in the same round.
/// </summary>
/// <param name="workers">The threads.</param>
internal sealed class Bound(WorkerPool workers)
{
    private int rounds;
    private int memoryRounds;

    /// <summary>What was the longer in most rounds.</summary>
    public string Name => 2 * memoryRounds > rounds ? "read" : "peak";

    /// <summary>Measures.</summary>
    /// <param name="multiplyAdds">How many the product needs.</param>
    /// <param name="weights">What it must read.</param>
    /// <returns>The longer time.</returns>
    public double Milliseconds(long multiplyAdds, IReadOnlyList<WeightMatrix> weights)
    {
        double read = Time(workers, () => Ceilings.Read(workers, weights));
        double peak = Time(workers, () => Ceilings.MultiplyAdd(workers, multiplyAdds));
        rounds++;
        memoryRounds += read > peak ? 1 : 0;
        return Math.Max(read, peak);
    }

    /// <summary>
    /// Runs once. One thread is timed by the processor time that it took, which neighbours on a shared machine
    /// disturb little; several by the clock.
    /// </summary>
    /// <param name="workers">The threads.</param>
    /// <param name="action">What they do.</param>
    /// <returns>Milliseconds.</returns>
    public static double Time(WorkerPool workers, Action action)
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan used = Environment.CpuUsage.TotalTime;
        action();
        return workers.ThreadCount == 1
            ? (Environment.CpuUsage.TotalTime - used).TotalMilliseconds
            : Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
