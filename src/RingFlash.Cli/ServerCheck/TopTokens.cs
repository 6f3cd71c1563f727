using System.Collections.Generic;

namespace RingFlash.Cli.ServerCheck;

/// <summary>The most likely tokens.</summary>
internal static class TopTokens
{
    /// <summary>Finds them.</summary>
    /// <param name="logProbabilities">[vocabulary].</param>
    /// <param name="count">How many.</param>
    /// <returns>By falling log-probability and, among equal ones, rising id.</returns>
    public static int[] Of(float[] logProbabilities, int count)
    {
        PriorityQueue<int, (float, int)> kept = new();
        for (int id = 0; id < logProbabilities.Length; id++)
        {
            (float, int) priority = (logProbabilities[id], -id);
            if (kept.Count < count)
            {
                kept.Enqueue(id, priority);
            }
            else
            {
                kept.EnqueueDequeue(id, priority);
            }
        }

        int[] best = new int[kept.Count];
        for (int place = best.Length - 1; place >= 0; place--)
        {
            best[place] = kept.Dequeue();
        }

        return best;
    }
}
