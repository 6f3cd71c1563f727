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

    /// <summary>
    /// Σ x over a run by a warp, lane s adding stripe s. The loads of sixteen steps are under way before the first of
    /// them is added, so the chain of additions is what it takes.
    /// </summary>
    /// <param name="x">Where the run lies; it may have been written by this group before a barrier.</param>
    /// <param name="start">Its first element.</param>
    /// <param name="count">Its length.</param>
    /// <returns>The sum, in every lane.</returns>
    public static float OfAWarp(ArrayView<float> x, long start, int count)
    {
        float stripe = 0f;
        int next = Group.IdxX;
        for (; next + (15 * Count) < count; next += 16 * Count)
        {
            Float4 first = FourSteps(x, start + next), second = FourSteps(x, start + next + (4 * Count));
            Float4 third = FourSteps(x, start + next + (8 * Count)), last = FourSteps(x, start + next + (12 * Count));
            stripe = Add(Add(Add(Add(stripe, first), second), third), last);
        }

        for (; next < count; next += Count)
        {
            stripe += x[start + next];
        }

        return HalveAcrossLanes(stripe);
    }

    /// <summary>The largest of the lanes' numbers, none of them NaN.</summary>
    /// <param name="value">The lane's.</param>
    /// <returns>The maximum, in every lane.</returns>
    public static float MaximumAcrossLanes(float value)
    {
        value = Larger(Warp.ShuffleXor(value, 16), value);
        value = Larger(Warp.ShuffleXor(value, 8), value);
        value = Larger(Warp.ShuffleXor(value, 4), value);
        value = Larger(Warp.ShuffleXor(value, 2), value);
        return Larger(Warp.ShuffleXor(value, 1), value);
    }

    /// <summary>One step of a maximum; a NaN among the candidates is skipped.</summary>
    /// <param name="candidate">Any number.</param>
    /// <param name="maximum">The maximum so far.</param>
    /// <returns>The maximum.</returns>
    public static float Larger(float candidate, float maximum) => candidate > maximum ? candidate : maximum;

    private static Float4 FourSteps(ArrayView<float> x, long at) =>
        new(x[at], x[at + Count], x[at + (2 * Count)], x[at + (3 * Count)]);

    private static float Add(float stripe, Float4 steps) => stripe + steps.X + steps.Y + steps.Z + steps.W;
}
