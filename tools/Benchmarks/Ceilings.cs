using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>What this machine can do at most: reading memory, and fused multiply-adds in registers.</summary>
internal static unsafe class Ceilings
{
    private static float sink;

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
                Read(
                    panels.Pointer((int)((long)panels.PanelCount * share / workers.ThreadCount), 0),
                    panels.Pointer((int)((long)panels.PanelCount * (share + 1) / workers.ThreadCount), 0));
            }
        });
    }

    /// <summary>Computes and forgets.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="multiplyAdds">How many, over all threads.</param>
    public static void MultiplyAdd(WorkerPool workers, long multiplyAdds)
    {
        const int PerRound = 16 * 16;
        workers.Run(workers.ThreadCount, (_, _, _) => Chains(multiplyAdds / workers.ThreadCount / PerRound));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Read(byte* first, byte* end)
    {
        Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a;
        for (float* x = (float*)first; x < (float*)end; x += 64)
        {
            a += Vector512.Load(x);
            b += Vector512.Load(x + 16);
            c += Vector512.Load(x + 32);
            d += Vector512.Load(x + 48);
        }

        sink = Vector512.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chains(long rounds)
    {
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(0.001f);
        Vector512<float> s0 = y, s1 = y, s2 = y, s3 = y, s4 = y, s5 = y, s6 = y, s7 = y;
        Vector512<float> s8 = y, s9 = y, s10 = y, s11 = y, s12 = y, s13 = y, s14 = y, s15 = y;
        for (long round = 0; round < rounds; round++)
        {
            s0 = Vector512.FusedMultiplyAdd(s0, x, y);
            s1 = Vector512.FusedMultiplyAdd(s1, x, y);
            s2 = Vector512.FusedMultiplyAdd(s2, x, y);
            s3 = Vector512.FusedMultiplyAdd(s3, x, y);
            s4 = Vector512.FusedMultiplyAdd(s4, x, y);
            s5 = Vector512.FusedMultiplyAdd(s5, x, y);
            s6 = Vector512.FusedMultiplyAdd(s6, x, y);
            s7 = Vector512.FusedMultiplyAdd(s7, x, y);
            s8 = Vector512.FusedMultiplyAdd(s8, x, y);
            s9 = Vector512.FusedMultiplyAdd(s9, x, y);
            s10 = Vector512.FusedMultiplyAdd(s10, x, y);
            s11 = Vector512.FusedMultiplyAdd(s11, x, y);
            s12 = Vector512.FusedMultiplyAdd(s12, x, y);
            s13 = Vector512.FusedMultiplyAdd(s13, x, y);
            s14 = Vector512.FusedMultiplyAdd(s14, x, y);
            s15 = Vector512.FusedMultiplyAdd(s15, x, y);
        }

        sink = Vector512.Sum(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
            + (((s8 + s9) + (s10 + s11)) + ((s12 + s13) + (s14 + s15))));
    }
}
