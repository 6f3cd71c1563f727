using System;
using System.Runtime.CompilerServices;
using ILGPU;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// The C# bodies of the matrix intrinsics: what the lanes of a warp exchange goes through memory that lane 0 owns.
/// </summary>
/// <remarks>
/// Every lane is a thread here. One shuffle tells all where the memory is; a barrier of the warp lies between writing
/// and reading, another between reading and the next writing. Shuffles alone would take eight times as long.
/// </remarks>
internal static unsafe class WarpExchange
{
    private const int WordsOfALane = 8;

    [ThreadStatic]
    private static ulong[]? mine;

    /// <summary>See <see cref="DeviceIntrinsics.LoadMatrices"/>.</summary>
    /// <param name="row">The row of this lane.</param>
    /// <returns>This lane's elements.</returns>
    public static UInt4 LoadMatrices(ref uint row)
    {
        int lane = Warp.LaneIdx;
        ulong* all = Meet();
        all[lane] = (ulong)Unsafe.AsPointer(ref row);
        Warp.Barrier();
        int of = lane >> 2, word = lane & 3;
        UInt4 result = new(
            ((uint*)all[of])[word],
            ((uint*)all[8 + of])[word],
            ((uint*)all[16 + of])[word],
            ((uint*)all[24 + of])[word]);
        Warp.Barrier();
        return result;
    }

    /// <summary>See <see cref="DeviceIntrinsics.MultiplyMatrices"/>.</summary>
    /// <param name="a">This lane's elements of A.</param>
    /// <param name="b0">Of B, k 0–7.</param>
    /// <param name="b1">Of B, k 8–15.</param>
    /// <param name="c">Of C.</param>
    /// <returns>Of the sum.</returns>
    public static Float4 MultiplyMatrices(UInt4 a, uint b0, uint b1, Float4 c)
    {
        int lane = Warp.LaneIdx, row = lane >> 2, pair = lane & 3;
        uint* all = (uint*)Meet();
        uint* own = all + (lane * WordsOfALane);
        (own[0], own[1], own[2], own[3], own[4], own[5]) = (a.X, a.Y, a.Z, a.W, b0, b1);
        Warp.Barrier();
        for (int k = 0; k < 16; k++)
        {
            int half = k >> 3, inHalf = k & 7;
            uint* left = all + (((row * 4) + (inHalf >> 1)) * WordsOfALane) + (2 * half);
            uint* right = all + (((pair * 8) + (inHalf >> 1)) * WordsOfALane) + 4 + half;
            float upper = Element(left[0], k), lower = Element(left[1], k);
            float first = Element(right[0], k), second = Element(right[4 * WordsOfALane], k);
            c = new Float4(
                MathF.FusedMultiplyAdd(upper, first, c.X),
                MathF.FusedMultiplyAdd(upper, second, c.Y),
                MathF.FusedMultiplyAdd(lower, first, c.Z),
                MathF.FusedMultiplyAdd(lower, second, c.W));
        }

        Warp.Barrier();
        return c;
    }

    private static float Element(uint pair, int k) => BFloat16.ToSingle((ushort)(pair >> (16 * (k & 1))));

    /// <summary>The memory of lane 0, pinned for the life of its thread.</summary>
    private static ulong* Meet()
    {
        mine ??= GC.AllocateArray<ulong>(KernelHost.Lanes * WordsOfALane / 2, pinned: true);
        return (ulong*)Warp.Shuffle((long)Unsafe.AsPointer(ref mine[0]), 0);
    }
}
