using System;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>
/// Accumulators of eight query heads as structs: on a device every field is a register, while an array that is indexed
/// would lie in memory.
/// </content>
public static partial class CausalAttention
{
    /// <summary>The chains of one head with the two keys of a lane.</summary>
    /// <param name="Left">The first key's.</param>
    /// <param name="Right">The second key's.</param>
    private readonly record struct ScorePair(float Left, float Right)
    {
        /// <summary>Four channels on.</summary>
        public ScorePair Step(Float4 query, Float4 left, Float4 right) =>
            new(Chain(query, left, Left), Chain(query, right, Right));

        public ScorePair Plus(ScorePair other) => new(Left + other.Left, Right + other.Right);

        private static float Chain(Float4 query, Float4 key, float sum)
        {
            sum = MathF.FusedMultiplyAdd(query.X, key.X, sum);
            sum = MathF.FusedMultiplyAdd(query.Y, key.Y, sum);
            sum = MathF.FusedMultiplyAdd(query.Z, key.Z, sum);
            return MathF.FusedMultiplyAdd(query.W, key.W, sum);
        }
    }

    private readonly record struct EightPairs(
        ScorePair P0,
        ScorePair P1,
        ScorePair P2,
        ScorePair P3,
        ScorePair P4,
        ScorePair P5,
        ScorePair P6,
        ScorePair P7)
    {
        public EightPairs Plus(EightPairs other) => new(
            P0.Plus(other.P0),
            P1.Plus(other.P1),
            P2.Plus(other.P2),
            P3.Plus(other.P3),
            P4.Plus(other.P4),
            P5.Plus(other.P5),
            P6.Plus(other.P6),
            P7.Plus(other.P7));

        public ScorePair Of(int index) =>
            index == 0 ? P0
            : index == 1 ? P1
            : index == 2 ? P2
            : index == 3 ? P3
            : index == 4 ? P4
            : index == 5 ? P5
            : index == 6 ? P6 : P7;
    }

    private readonly record struct EightRows(
        long R0, long R1, long R2, long R3, long R4, long R5, long R6, long R7);

    private readonly record struct EightSums(
        Float4 S0, Float4 S1, Float4 S2, Float4 S3, Float4 S4, Float4 S5, Float4 S6, Float4 S7)
    {
        public EightSums Plus(EightSums other) => new(
            Sum(S0, other.S0),
            Sum(S1, other.S1),
            Sum(S2, other.S2),
            Sum(S3, other.S3),
            Sum(S4, other.S4),
            Sum(S5, other.S5),
            Sum(S6, other.S6),
            Sum(S7, other.S7));

        public Float4 Of(int index) =>
            index == 0 ? S0
            : index == 1 ? S1
            : index == 2 ? S2
            : index == 3 ? S3
            : index == 4 ? S4
            : index == 5 ? S5
            : index == 6 ? S6 : S7;

        private static Float4 Sum(Float4 left, Float4 right) =>
            new(left.X + right.X, left.Y + right.Y, left.Z + right.Z, left.W + right.W);
    }
}
