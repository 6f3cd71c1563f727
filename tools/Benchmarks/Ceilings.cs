using System.Collections.Generic;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>What this machine can do at most: reading memory, and fused multiply-adds in registers.</summary>
internal static unsafe class Ceilings
{
    /// <summary>Reads weights from front to back, each worker its share, as a product must.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="weights">Weights in memory, one after the other.</param>
    public static void Read(WorkerPool workers, IReadOnlyList<WeightMatrix> weights)
    {
        workers.Run(workers.ThreadCount, (share, _, _) =>
        {
            foreach (WeightMatrix weight in weights)
            {
                WeightPanels panels = weight.Panels!;
                MachineCeilings.Sum(
                    (float*)panels.Pointer((int)((long)panels.PanelCount * share / workers.ThreadCount), 0),
                    (float*)panels.Pointer((int)((long)panels.PanelCount * (share + 1) / workers.ThreadCount), 0));
            }
        });
    }

    /// <summary>Computes and forgets.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="multiplyAdds">How many, over all threads.</param>
    public static void MultiplyAdd(WorkerPool workers, long multiplyAdds)
    {
        const int PerStep = 16 * 16;
        long steps = multiplyAdds / workers.ThreadCount / PerStep;
        workers.Run(workers.ThreadCount, (_, _, _) => MachineCeilings.Chains512(steps));
    }
}
