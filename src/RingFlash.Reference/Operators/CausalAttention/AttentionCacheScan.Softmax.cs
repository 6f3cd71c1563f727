using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

internal readonly unsafe partial struct AttentionCacheScan
{
    /// <summary>
    /// Scores become exponentials, +0 where a lane may not look. Two keys at a time; the maximum over the products is
    /// also the one over the scores.
    /// </summary>
    private void Exponentials<TPrecision>(int head, float* stripes)
        where TPrecision : struct, IPrecision
    {
        Vector512<float> scale = Vector512.Create((float)Math.Sqrt(HeadDim)), maximum = Maximum(head);
        maximum = AttentionSteps.Scaled<TPrecision>(maximum, scale);
        new Span<float>(stripes, Summation.StripeCount * Lanes).Clear();
        int end = operands.Shape.KeyTokens;
        for (int key = operands.FirstVisible(Sequence(head)) / 2 * 2; key < end; key += 2)
        {
            key = OrdinaryKeys<TPrecision>(head, key, scale, maximum, stripes);
            if (key >= end)
            {
                break;
            }

            float* pair = Score(head, key), stripe = stripes + (key % Summation.StripeCount * Lanes);
            Vector512<float> score = AttentionSteps.Scaled<TPrecision>(Vector512.Load(pair), scale);
            Vector512<float> exponential = Exponential.Exp(score - maximum) & Sees(head, key);
            exponential.Store(pair);
            (Vector512.Load(stripe) + exponential).Store(stripe);
        }

        // The halving tree; its last step is within the one vector that is left.
        for (int half = StripeVectors / 2; half > 0; half /= 2)
        {
            for (int index = 0; index < half; index++)
            {
                float* stripe = stripes + (index * 16);
                (Vector512.Load(stripe) + Vector512.Load(stripe + (half * 16))).Store(stripe);
            }
        }

        Vector256<float> sums = Vector256.Load(stripes) + Vector256.Load(stripes + Lanes);
        Vector512.Create(sums, sums).Store(denominators + (head * 2 * Lanes));
    }

    /// <summary>
    /// Pairs of keys that need no attention of their own, as in <see cref="AttentionPanel"/>.
    /// </summary>
    /// <returns>The first pair that is not ordinary.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int OrdinaryKeys<TPrecision>(
        int head, int key, Vector512<float> scale, Vector512<float> maximum, float* stripes)
        where TPrecision : struct, IPrecision
    {
        float* pair = Score(head, key);
        int end = OrdinaryEnd(head, key);
        Vector512<float> divisor = scale, largest = maximum; // parameters would be written back in every turn
        FourVectors divisor4 = new(divisor, divisor, divisor, divisor);
        FourVectors largest4 = new(largest, largest, largest, largest);
        for (; key < end; key += 2)
        {
            // Eight keys whose stripes lie side by side.
            for (; key % 8 == 0 && key <= end - 8; key += 8)
            {
                FourVectors products = FourVectors.Load(ref *pair, 0).Round<TPrecision>();
                FourVectors differences = (products / divisor4).Round<TPrecision>() - largest4;
                if (!FourVectors.Pay || !Exponential.IsInNormalRange(differences))
                {
                    break;
                }

                FourVectors exponentials = Exponential.ExpInNormalRange(differences);
                exponentials.Store(ref *pair, 0);
                ref float four = ref *(stripes + ((uint)key % Summation.StripeCount * Lanes));
                (FourVectors.Load(ref four, 0) + exponentials).Store(ref four, 0);
                pair += FourVectors.Count;
            }

            if (key >= end)
            {
                break;
            }

            Vector512<float> difference = AttentionSteps.Scaled<TPrecision>(Vector512.Load(pair), divisor) - largest;
            if (!Exponential.IsInNormalRange(difference))
            {
                break;
            }

            Vector512<float> exponential = Exponential.ExpInNormalRange(difference);
            exponential.Store(pair);
            float* stripe = stripes + ((uint)key % Summation.StripeCount * Lanes);
            (Vector512.Load(stripe) + exponential).Store(stripe);
            pair += 2 * Lanes;
        }

        return key;
    }

    /// <summary>The end of the pairs from a key on of which all lanes see both keys.</summary>
    private int OrdinaryEnd(int head, int key)
    {
        int end = (operands.Shape.PastTokens + 1) / 2 * 2;
        ReadOnlySpan<byte> visible = operands.VisibleKeys(Sequence(head));
        if (!visible.IsEmpty && key < end)
        {
            int run = visible[key..end].IndexOf((byte)0);
            end = run < 0 ? end : key + (run / 2 * 2);
        }

        return end;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Vector512<float> Maximum(int head)
    {
        Vector512<float> first = Vector512.Create(float.NegativeInfinity), second = first;
        Vector512<float> third = first, fourth = first;
        for (int key = operands.FirstVisible(Sequence(head)) / 2 * 2; key < operands.Shape.KeyTokens; key += 2)
        {
            // A NaN is skipped here and spreads through the exponential.
            int end = OrdinaryEnd(head, key);
            for (; key + 6 < end; key += 8)
            {
                float* products = Score(head, key);
                first = RowMaximum.Larger(Vector512.Load(products), first);
                second = RowMaximum.Larger(Vector512.Load(products + (2 * Lanes)), second);
                third = RowMaximum.Larger(Vector512.Load(products + (4 * Lanes)), third);
                fourth = RowMaximum.Larger(Vector512.Load(products + (6 * Lanes)), fourth);
            }

            for (; key < end; key += 2)
            {
                first = RowMaximum.Larger(Vector512.Load(Score(head, key)), first);
            }

            if (key < operands.Shape.KeyTokens)
            {
                Vector512<float> products = Vector512.Load(Score(head, key));
                Vector512<float> above = Vector512.GreaterThan(products, first) & Sees(head, key);
                first = Vector512.ConditionalSelect(above, products, first);
            }
        }

        Vector512<float> maximum =
            RowMaximum.Larger(RowMaximum.Larger(first, second), RowMaximum.Larger(third, fourth));
        Vector256<float> even = maximum.GetLower(), odd = maximum.GetUpper();
        Vector256<float> larger = Vector256.ConditionalSelect(Vector256.GreaterThan(odd, even), odd, even);
        return Vector512.Create(larger, larger);
    }

    /// <summary>Which lanes see a key and the one after it.</summary>
    private Vector512<float> Sees(int head, int key)
    {
        ReadOnlySpan<byte> visible = operands.VisibleKeys(Sequence(head));
        Vector512<int> sees = default;
        for (int lane = 0; lane < 2 * Lanes; lane++)
        {
            int laneKey = key + (lane / Lanes), token = lane % Lanes / group;
            bool isSeen = laneKey < Math.Min(operands.Shape.PastTokens + token + 1, operands.Shape.KeyTokens)
                && (visible.IsEmpty || visible[laneKey] != 0);
            sees = sees.WithElement(lane, isSeen ? -1 : 0);
        }

        return sees.AsSingle();
    }
}
