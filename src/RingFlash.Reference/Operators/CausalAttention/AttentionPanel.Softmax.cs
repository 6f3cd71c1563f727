using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

internal readonly unsafe ref partial struct AttentionPanel
{
    /// <summary>
    /// Scores become exponentials, +0 where a lane may not look. The maximum over the products is also the one over the
    /// scores: rounding and the division by a positive number keep the order.
    /// </summary>
    /// <returns>The denominators.</returns>
    private (Vector512<float> Lower, Vector512<float> Upper) Exponentials<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        ReadOnlySpan<byte> visible = operands.VisibleKeys(sequence);
        Vector512<int> limits0 = Limits(0), limits1 = Limits(16);
        Vector512<float> scale = Vector512.Create((float)Math.Sqrt(HeadDim));
        Vector512<float> maximum0 = Vector512.Create(float.NegativeInfinity), maximum1 = maximum0;
        int ordinary = visible.IsEmpty ? firstKey + ((commonLimit - firstKey) / 2 * 2) : firstKey;
        if (ordinary > firstKey)
        {
            (maximum0, maximum1) = Maxima(ordinary);
        }

        for (int key = ordinary; key < keyLimit; key++)
        {
            if (visible.IsEmpty || visible[key] != 0)
            {
                float* products = Score(key);
                Vector512<float> product0 = Vector512.Load(products), product1 = Vector512.Load(products + 16);

                // A NaN is skipped here and spreads through the exponential.
                Vector512<float> above0 = Vector512.GreaterThan(product0, maximum0);
                Vector512<float> above1 = Vector512.GreaterThan(product1, maximum1);
                if (key >= commonLimit)
                {
                    above0 &= Vector512.GreaterThan(limits0, Vector512.Create(key)).AsSingle();
                    above1 &= Vector512.GreaterThan(limits1, Vector512.Create(key)).AsSingle();
                }

                maximum0 = Vector512.ConditionalSelect(above0, product0, maximum0);
                maximum1 = Vector512.ConditionalSelect(above1, product1, maximum1);
            }
        }

        maximum0 = AttentionSteps.Scaled<TPrecision>(maximum0, scale);
        maximum1 = AttentionSteps.Scaled<TPrecision>(maximum1, scale);
        new Span<float>(stripes, Summation.StripeCount * Lanes).Clear();
        for (int key = firstKey; key < keyLimit; key++)
        {
            key = OrdinaryKeys<TPrecision>(visible, key, scale, maximum0, maximum1);
            if (key == keyLimit)
            {
                break;
            }

            float* exponentials = Score(key);
            if (!visible.IsEmpty && visible[key] == 0)
            {
                new Span<float>(exponentials, Lanes).Clear();
                continue; // +0 changes no stripe
            }

            Vector512<float> score0 = AttentionSteps.Scaled<TPrecision>(Vector512.Load(exponentials), scale);
            Vector512<float> score1 = AttentionSteps.Scaled<TPrecision>(Vector512.Load(exponentials + 16), scale);
            Vector512<float> exponential0 = Exponential.Exp(score0 - maximum0);
            Vector512<float> exponential1 = Exponential.Exp(score1 - maximum1);
            if (key >= commonLimit)
            {
                exponential0 &= Vector512.GreaterThan(limits0, Vector512.Create(key)).AsSingle();
                exponential1 &= Vector512.GreaterThan(limits1, Vector512.Create(key)).AsSingle();
            }

            exponential0.Store(exponentials);
            exponential1.Store(exponentials + 16);
            float* stripe = stripes + (key % Summation.StripeCount * Lanes);
            (Vector512.Load(stripe) + exponential0).Store(stripe);
            (Vector512.Load(stripe + 16) + exponential1).Store(stripe + 16);
        }

        for (int half = Summation.StripeCount / 2; half > 0; half /= 2)
        {
            Add(stripes + (half * Lanes), stripes, half * Lanes);
        }

        return (Vector512.Load(stripes), Vector512.Load(stripes + 16));
    }

    /// <summary>The largest products of keys that every lane sees; two chains for each vector.</summary>
    /// <param name="end">The end of the keys; a multiple of two behind the first.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (Vector512<float> Lower, Vector512<float> Upper) Maxima(int end)
    {
        Vector512<float> even0 = Vector512.Create(float.NegativeInfinity), even1 = even0, odd0 = even0, odd1 = even0;
        for (float* products = Score(firstKey), limit = Score(end); products < limit; products += 2 * Lanes)
        {
            even0 = RowMaximum.Larger(Vector512.Load(products), even0);
            even1 = RowMaximum.Larger(Vector512.Load(products + 16), even1);
            odd0 = RowMaximum.Larger(Vector512.Load(products + 32), odd0);
            odd1 = RowMaximum.Larger(Vector512.Load(products + 48), odd1);
        }

        return (RowMaximum.Larger(odd0, even0), RowMaximum.Larger(odd1, even1));
    }

    /// <summary>
    /// The keys that need no attention of their own: seen by all lanes, visible, and with exponentials that are normal
    /// numbers. The loop calls nothing, so that everything stays in registers.
    /// </summary>
    /// <returns>The first key that is not ordinary, or the limit.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int OrdinaryKeys<TPrecision>(
        ReadOnlySpan<byte> visible,
        int key,
        Vector512<float> scale,
        Vector512<float> maximum0,
        Vector512<float> maximum1)
        where TPrecision : struct, IPrecision
    {
        float* exponentials = Score(key), stripe = stripes;
        int end = commonLimit;
        Vector512<float> divisor = scale; // parameters would be written back in every turn
        Vector512<float> largest0 = maximum0, largest1 = maximum1;
        for (; key < end; key++)
        {
            if (!visible.IsEmpty && visible[key] == 0)
            {
                return key;
            }

            Vector512<float> product0 = Vector512.Load(exponentials), product1 = Vector512.Load(exponentials + 16);
            Vector512<float> difference0 = AttentionSteps.Scaled<TPrecision>(product0, divisor) - largest0;
            Vector512<float> difference1 = AttentionSteps.Scaled<TPrecision>(product1, divisor) - largest1;
            if (!Exponential.IsInNormalRange(difference0) || !Exponential.IsInNormalRange(difference1))
            {
                return key;
            }

            Vector512<float> exponential0 = Exponential.ExpInNormalRange(difference0);
            exponential0.Store(exponentials);
            float* sum = stripe + ((uint)key % Summation.StripeCount * Lanes);
            (Vector512.Load(sum) + exponential0).Store(sum);
            Vector512<float> exponential1 = Exponential.ExpInNormalRange(difference1);
            exponential1.Store(exponentials + 16);
            (Vector512.Load(sum + 16) + exponential1).Store(sum + 16);
            exponentials += Lanes;
        }

        return key;
    }

    /// <summary>The first key that a lane may not see.</summary>
    private Vector512<int> Limits(int firstLane)
    {
        Vector512<int> limits = default;
        for (int lane = 0; lane < 16; lane++)
        {
            limits = limits.WithElement(lane, commonLimit + ((firstLane + lane) / heads));
        }

        return limits;
    }
}
