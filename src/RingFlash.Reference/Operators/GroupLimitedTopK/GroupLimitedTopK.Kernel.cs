using System;
using ILGPU;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The choice without any array. Biased scores become the integers of <see cref="Vectorised"/>, and those with
/// their index an order without ties, packed into 64 bits: the key above, the index, smaller ones first, below. The
/// k-th best is then the greatest below the (k − 1)-th, and a group is chosen if it is not below the last chosen one;
/// the state of a search is one number.</para>
/// <para>Naive: a thread owns a token and searches. Fast: a warp owns a token. Lane g makes the score of group g (32
/// groups at most); for every choice the lanes search their share of the experts and take the greatest by five
/// shuffles. The scores are read again for every choice, from the first-level cache. The sum over the chosen is
/// sequential in the chosen order in both.</para>
/// <para>The margin is a kernel of its own, in float64 and a thread per token: only who verifies asks for it.</para>
/// </content>
public static partial class GroupLimitedTopK
{
    private const long Beyond = long.MaxValue;

    /// <summary>Chooses on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="shape">Sizes and factor.</param>
    /// <param name="scores">[tokens, experts], float32, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="topKIndices">[tokens, topK], written.</param>
    /// <param name="topKWeights">[tokens, topK], float32, written.</param>
    /// <param name="margins">[tokens], float32, written; or empty when not wanted.</param>
    public static void Launch(
        KernelHost host,
        RouterShape shape,
        ArrayView<float> scores,
        ArrayView<float> expertBias,
        ArrayView<int> topKIndices,
        ArrayView<float> topKWeights,
        ArrayView<float> margins)
    {
        ArgumentNullException.ThrowIfNull(host);
        int tokens = (int)(scores.Length / shape.Experts);
        KernelArguments arguments = new(
            scores,
            expertBias,
            topKIndices,
            topKWeights,
            margins,
            tokens,
            shape.Experts,
            shape.Groups,
            shape.ExpertsPerGroup,
            shape.ChosenGroups,
            shape.TopK,
            shape.ScalingFactor);
        if (host.PrefersFast && shape.Groups <= KernelHost.Lanes)
        {
            host.Launch(FastKernel, host.GridFor((long)tokens * KernelHost.Lanes), arguments);
        }
        else
        {
            host.Launch(NaiveKernel, host.GridFor(tokens), arguments);
        }

        if (margins.Length > 0)
        {
            host.Launch(MarginKernel, host.GridFor(tokens), arguments);
        }
    }

    /// <summary>A thread per token.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void NaiveKernel(KernelArguments a)
    {
        for (int token = DeviceThread.Index; token < a.Tokens; token += DeviceThread.Count)
        {
            long scores = (long)token * a.Experts, chosen = (long)token * a.TopK;
            long lastGroup = LastChosenGroup(a, scores), last = Beyond;
            float sum = 0f;
            for (int k = 0; k < a.TopK; k++)
            {
                long best = long.MinValue;
                for (int g = 0; g < a.Groups; g++)
                {
                    bool masked = GroupOrder(a, scores, g) < lastGroup;
                    for (int e = g * a.ExpertsPerGroup; e < (g + 1) * a.ExpertsPerGroup; e++)
                    {
                        best = Better(ExpertOrder(a, scores, e, masked), last, best);
                    }
                }

                last = best;
                int expert = IndexOf(best);
                a.Indices[chosen + k] = expert;
                sum += a.Scores[scores + expert];
            }

            for (int k = 0; k < a.TopK; k++)
            {
                a.Weights[chosen + k] = Weight(a, a.Scores[scores + a.Indices[chosen + k]], sum);
            }
        }
    }

    /// <summary>A warp per token.</summary>
    /// <param name="a">The arguments; 32 groups at most.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FastKernel(KernelArguments a)
    {
        for (int token = DeviceThread.Warp; token < a.Tokens; token += DeviceThread.WarpCount)
        {
            long scores = (long)token * a.Experts, chosen = (long)token * a.TopK;
            long ownGroup = Group.IdxX < a.Groups ? GroupOrder(a, scores, Group.IdxX) : long.MinValue;
            long lastGroup = Beyond;
            for (int k = 0; k < a.ChosenGroups; k++)
            {
                lastGroup = GreatestAcrossLanes(Better(ownGroup, lastGroup, long.MinValue));
            }

            int ownMask = ownGroup < lastGroup ? 1 : 0;
            long last = Beyond;
            float sum = 0f;
            for (int k = 0; k < a.TopK; k++)
            {
                long best = long.MinValue;
                for (int g = 0; g < a.Groups; g++)
                {
                    bool masked = Warp.Shuffle(ownMask, g) != 0;
                    int end = (g + 1) * a.ExpertsPerGroup;
                    for (int e = (g * a.ExpertsPerGroup) + Group.IdxX; e < end; e += KernelHost.Lanes)
                    {
                        best = Better(ExpertOrder(a, scores, e, masked), last, best);
                    }
                }

                last = GreatestAcrossLanes(best);
                int expert = IndexOf(last);
                sum += a.Scores[scores + expert];
                if ((k & (KernelHost.Lanes - 1)) == Group.IdxX)
                {
                    a.Indices[chosen + k] = expert;
                }
            }

            for (int k = Group.IdxX; k < a.TopK; k += KernelHost.Lanes)
            {
                a.Weights[chosen + k] = Weight(a, a.Scores[scores + a.Indices[chosen + k]], sum);
            }
        }
    }

    /// <summary>The place of the last chosen group in the order of groups.</summary>
    /// <param name="a">The arguments.</param>
    /// <param name="scores">Where the token's scores begin.</param>
    /// <returns>Its order.</returns>
    internal static long LastChosenGroup(in KernelArguments a, long scores)
    {
        long last = Beyond;
        for (int k = 0; k < a.ChosenGroups; k++)
        {
            long best = long.MinValue;
            for (int g = 0; g < a.Groups; g++)
            {
                best = Better(GroupOrder(a, scores, g), last, best);
            }

            last = best;
        }

        return last;
    }

    /// <summary>The place of a group: by the sum of its two largest biased scores.</summary>
    /// <param name="a">The arguments.</param>
    /// <param name="scores">Where the token's scores begin.</param>
    /// <param name="group">The group.</param>
    /// <returns>Its order.</returns>
    internal static long GroupOrder(in KernelArguments a, long scores, int group)
    {
        float first = 0f, second = 0f;
        int firstKey = int.MinValue, secondKey = int.MinValue;
        for (int e = group * a.ExpertsPerGroup; e < (group + 1) * a.ExpertsPerGroup; e++)
        {
            float biased = a.Scores[scores + e] + a.ExpertBias[e];
            int key = Key(biased);
            bool isFirst = key > firstKey, isSecond = !isFirst && key > secondKey;
            second = isFirst ? first : isSecond ? biased : second;
            secondKey = isFirst ? firstKey : isSecond ? key : secondKey;
            first = isFirst ? biased : first;
            firstKey = isFirst ? key : firstKey;
        }

        return Order(Key(first + second), group);
    }

    private static long ExpertOrder(in KernelArguments a, long scores, int expert, bool masked) =>
        Order(Key(masked ? float.NegativeInfinity : a.Scores[scores + expert] + a.ExpertBias[expert]), expert);

    private static float Weight(in KernelArguments a, float score, float sum) =>
        (a.TopK > 1 ? score / (sum + WeightSumFloor) : score) * a.ScalingFactor;

    /// <summary>An integer of the same order: NaN above all, −0 equal to +0.</summary>
    private static int Key(float value)
    {
        int bits = (int)DeviceIntrinsics.SingleToUInt32Bits(value);
        int ordered = bits ^ ((bits >> 31) & int.MaxValue);
        return float.IsNaN(value) ? int.MaxValue : value == 0f ? 0 : ordered;
    }

    private static long Order(int key, int index) => ((long)key << 32) | (uint)(int.MaxValue - index);

    private static int IndexOf(long order) => int.MaxValue - (int)(order & int.MaxValue);

    /// <summary>The greater of two, where the candidate comes after the last choice.</summary>
    private static long Better(long candidate, long last, long best) =>
        candidate < last && candidate > best ? candidate : best;

    private static long GreatestAcrossLanes(long value)
    {
        for (int distance = KernelHost.Lanes / 2; distance > 0; distance >>= 1)
        {
            long other = Warp.ShuffleXor(value, distance);
            value = other > value ? other : value;
        }

        return value;
    }

    /// <summary>What the kernels work on.</summary>
    /// <param name="Scores">[tokens, experts].</param>
    /// <param name="ExpertBias">[experts].</param>
    /// <param name="Indices">[tokens, topK], written.</param>
    /// <param name="Weights">[tokens, topK], written.</param>
    /// <param name="Margins">[tokens], written; or empty.</param>
    /// <param name="Tokens">The tokens.</param>
    /// <param name="Experts">The experts.</param>
    /// <param name="Groups">Their groups.</param>
    /// <param name="ExpertsPerGroup">Experts in a group.</param>
    /// <param name="ChosenGroups">Groups that stay.</param>
    /// <param name="TopK">Experts that are chosen.</param>
    /// <param name="ScalingFactor">What the weights add up to.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Scores,
        ArrayView<float> ExpertBias,
        ArrayView<int> Indices,
        ArrayView<float> Weights,
        ArrayView<float> Margins,
        int Tokens,
        int Experts,
        int Groups,
        int ExpertsPerGroup,
        int ChosenGroups,
        int TopK,
        float ScalingFactor);
}
