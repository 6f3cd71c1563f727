using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class SwiGlu
{
    /// <summary>Lanes: sixteen consecutive elements, four vectors at a time where no gate is extreme. Remainder:
    /// one vector at a time, then the scalar expression.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="gate">[tokens, intermediate], float32, read.</param>
    /// <param name="up">[tokens, intermediate], float32, read.</param>
    /// <param name="y">[tokens, intermediate], float32, written.</param>
    public static void Vectorised<TPrecision>(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        up = up[..gate.Length];
        y = y[..gate.Length];
        ref float gates = ref MemoryMarshal.GetReference(gate), ups = ref MemoryMarshal.GetReference(up);
        ref float to = ref MemoryMarshal.GetReference(y);
        int index = 0, whole = gate.Length / 16 * 16;
        for (; index < whole; index += 16)
        {
            index = Plain<TPrecision>(ref gates, ref ups, ref to, index, whole);
            if (index == whole)
            {
                break;
            }

            Vector512<float> activated = TPrecision.Round(Silu.Apply(Vector512.LoadUnsafe(ref gates, (nuint)index)));
            TPrecision.Round(activated * Vector512.LoadUnsafe(ref ups, (nuint)index)).StoreUnsafe(ref to, (nuint)index);
        }

        Scalar<TPrecision>(gate[index..], up[index..], y[index..]);
    }

    /// <summary>
    /// Goes on while no gate is extreme. The loop calls nothing, so that everything stays in registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Plain<TPrecision>(ref float gates, ref float ups, ref float to, int index, int end)
        where TPrecision : struct, IPrecision
    {
        for (; index < end; index += 16)
        {
            for (; index <= end - FourVectors.Count; index += FourVectors.Count)
            {
                FourVectors gates4 = FourVectors.Load(ref gates, index);
                if (!FourVectors.Pay || !Sigmoid.IsPlain(gates4))
                {
                    break;
                }

                FourVectors activated4 = Silu.ApplyToPlain(gates4).Round<TPrecision>();
                (activated4 * FourVectors.Load(ref ups, index)).Round<TPrecision>().Store(ref to, index);
            }

            if (index == end)
            {
                break;
            }

            Vector512<float> gate = Vector512.LoadUnsafe(ref gates, (nuint)index);
            if (!Sigmoid.IsPlain(gate))
            {
                break;
            }

            Vector512<float> activated = TPrecision.Round(Silu.ApplyToPlain(gate));
            TPrecision.Round(activated * Vector512.LoadUnsafe(ref ups, (nuint)index)).StoreUnsafe(ref to, (nuint)index);
        }

        return index;
    }

    private static void Split<TPrecision>(
        WorkerPool workers, ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
        where TPrecision : struct, IPrecision =>
        RowSplit.Run(workers, gate.Length, gate, up, y, 0, static (in _, _, gates, ups, output) =>
            Vectorised<TPrecision>(gates, ups, output));
}
