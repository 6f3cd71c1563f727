using System;
using ILGPU;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>The order of vector sums (<see cref="Summation"/>) on a device: 32 stripes, a halving tree.</summary>
public static class StripeSums
{
    /// <summary>The stripes are those of the CPU.</summary>
    public const int Count = Summation.StripeCount;

    /// <summary>
    /// Σ x² over a run by one thread, as <see cref="Summation.SumOfSquares"/>: for kernels that are there to be read.
    /// </summary>
    /// <param name="x">Where the run lies.</param>
    /// <param name="start">Its first element.</param>
    /// <param name="count">Its length.</param>
    /// <param name="stripes">[32] of local memory.</param>
    /// <returns>The sum.</returns>
    public static float OfSquares(ArrayView<float> x, long start, int count, ArrayView<float> stripes)
    {
        for (int s = 0; s < Count; s++)
        {
            float sum = 0f;
            for (int i = s; i < count; i += Count)
            {
                float value = x[start + i];
                sum = MathF.FusedMultiplyAdd(value, value, sum);
            }

            stripes[s] = sum;
        }

        return Halve(stripes);
    }

    /// <summary>The halving tree by one thread: s += s + 16, + 8, + 4, + 2, + 1.</summary>
    /// <param name="stripes">[32], overwritten.</param>
    /// <returns>The sum.</returns>
    public static float Halve(ArrayView<float> stripes)
    {
        for (int half = Count / 2; half > 0; half >>= 1)
        {
            for (int s = 0; s < half; s++)
            {
                stripes[s] += stripes[s + half];
            }
        }

        return stripes[0];
    }

    /// <summary>
    /// The halving tree by a warp that holds stripe s in lane s. Both partners of a step add the same two numbers, and
    /// a + b = b + a, so every lane ends with the bits of lane 0.
    /// </summary>
    /// <param name="stripe">The lane's stripe.</param>
    /// <returns>The sum, in every lane.</returns>
    public static float HalveAcrossLanes(float stripe)
    {
        stripe += Warp.ShuffleXor(stripe, 16);
        stripe += Warp.ShuffleXor(stripe, 8);
        stripe += Warp.ShuffleXor(stripe, 4);
        stripe += Warp.ShuffleXor(stripe, 2);
        return stripe + Warp.ShuffleXor(stripe, 1);
    }
}
