using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class GroupLimitedTopK
{
    private const int MostOnStack = 1024;

    /// <summary>
    /// Lanes: sixteen consecutive experts. Biased scores become integers of the same order (NaN above all, −0 equal to
    /// +0), so that a search is an integer maximum and then the first lane that holds it. Remainder: padded with the
    /// least integer. Equal to <see cref="Scalar"/> because every comparison has the same outcome.
    /// </summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="scores">[experts], float32, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="chosenGroups">[chosenGroups], written, best first.</param>
    /// <param name="topKIndices">[topK], written, best first.</param>
    public static void Vectorised(
        RouterShape shape,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<float> expertBias,
        Span<int> chosenGroups,
        Span<int> topKIndices)
    {
        int padded = Padded(shape.Experts), paddedGroups = Padded(shape.Groups);
        Span<float> biased = padded <= MostOnStack ? stackalloc float[padded] : new float[padded];
        Span<int> keys = padded <= MostOnStack ? stackalloc int[padded] : new int[padded];
        biased[shape.Experts..].Clear();
        int e = 0;
        for (; e + 16 <= shape.Experts; e += 16)
        {
            Vector512<float> sum = Vector512.Create(scores[e..]) + Vector512.Create(expertBias[e..]);
            sum.CopyTo(biased[e..]);
            Keys(sum).CopyTo(keys[e..]);
        }

        for (; e < shape.Experts; e++)
        {
            biased[e] = scores[e] + expertBias[e];
        }

        int tail = shape.Experts / 16 * 16;
        if (tail < padded)
        {
            Keys(Vector512.Create<float>(biased[tail..])).CopyTo(keys[tail..]);
            keys[shape.Experts..].Fill(int.MinValue);
        }

        Span<float> groupScores =
            paddedGroups <= MostOnStack ? stackalloc float[paddedGroups] : new float[paddedGroups];
        Span<int> groupKeys = paddedGroups <= MostOnStack ? stackalloc int[paddedGroups] : new int[paddedGroups];
        int paddedGroup = Padded(shape.ExpertsPerGroup);
        Span<int> group = paddedGroup <= MostOnStack ? stackalloc int[paddedGroup] : new int[paddedGroup];
        groupScores.Clear();
        for (int g = 0; g < shape.Groups; g++)
        {
            group.Fill(int.MinValue);
            keys.Slice(g * shape.ExpertsPerGroup, shape.ExpertsPerGroup).CopyTo(group);
            int first = TakeBest(group), second = TakeBest(group);
            groupScores[g] = biased[(g * shape.ExpertsPerGroup) + first] + biased[(g * shape.ExpertsPerGroup) + second];
        }

        for (int lane = 0; lane < groupKeys.Length; lane += 16)
        {
            Keys(Vector512.Create<float>(groupScores[lane..])).CopyTo(groupKeys[lane..]);
        }

        groupKeys[shape.Groups..].Fill(int.MinValue);
        for (int k = 0; k < chosenGroups.Length; k++)
        {
            chosenGroups[k] = TakeBest(groupKeys);
        }

        int masked = Keys(Vector512.Create(float.NegativeInfinity))[0];
        for (int g = 0; g < shape.Groups; g++)
        {
            if (!chosenGroups.Contains(g))
            {
                keys.Slice(g * shape.ExpertsPerGroup, shape.ExpertsPerGroup).Fill(masked);
            }
        }

        for (int k = 0; k < topKIndices.Length; k++)
        {
            topKIndices[k] = TakeBest(keys);
        }
    }

    private static int Padded(int count) => (count + 15) / 16 * 16;

    private static Vector512<int> Keys(Vector512<float> values)
    {
        // Adding +0 turns −0 into +0. A negative float orders by the complement of its magnitude bits.
        Vector512<float> positiveZero = values + Vector512<float>.Zero;
        Vector512<int> bits = positiveZero.AsInt32();
        Vector512<int> magnitudeMask = Vector512.ShiftRightArithmetic(bits, 31) & Vector512.Create(int.MaxValue);
        Vector512<int> isNumber = Vector512.Equals(values, values).AsInt32();
        return Vector512.ConditionalSelect(isNumber, bits ^ magnitudeMask, Vector512.Create(int.MaxValue));
    }

    private static int TakeBest(Span<int> keys)
    {
        Vector512<int> best = Vector512.Create<int>(keys);
        for (int index = 16; index < keys.Length; index += 16)
        {
            best = Vector512.Max(best, Vector512.Create<int>(keys[index..]));
        }

        Vector256<int> eight = Vector256.Max(best.GetLower(), best.GetUpper());
        Vector128<int> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        int maximum = Math.Max(Math.Max(four[0], four[1]), Math.Max(four[2], four[3]));
        int position = keys.IndexOf(maximum); // the first: the lower index wins
        keys[position] = int.MinValue;
        return position;
    }

    private static void Split(
        WorkerPool workers,
        RouterShape shape,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<float> expertBias,
        Span<int> topKIndices,
        Span<float> topKWeights,
        Span<float> margins) =>
        RowSplit.Run(
            workers,
            margins.Length,
            scores,
            [],
            topKWeights,
            new Choice(shape, expertBias, topKIndices, margins),
            static (in choice, first, tokenScores, _, weights) => Apply(
                ExecutionEngine.Vector512,
                choice.Shape,
                tokenScores,
                choice.ExpertBias,
                choice.TopKIndices.Slice(first * choice.Shape.TopK, weights.Length),
                weights,
                choice.Margins.Slice(first, weights.Length / choice.Shape.TopK)));

    private readonly ref struct Choice(
        RouterShape shape, ReadOnlySpan<float> expertBias, Span<int> topKIndices, Span<float> margins)
    {
        public readonly RouterShape Shape = shape;
        public readonly ReadOnlySpan<float> ExpertBias = expertBias;
        public readonly Span<int> TopKIndices = topKIndices;
        public readonly Span<float> Margins = margins;
    }
}
