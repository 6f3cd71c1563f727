using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class IcePopMask
{
    /// <summary>
    /// Lanes: sixteen consecutive tokens; the mask's bytes are widened to lanes and the decisions narrowed back.
    /// Remainder: the scalar expression.
    /// </summary>
    /// <param name="training">[tokens], float32, read.</param>
    /// <param name="inference">[tokens], float32, read.</param>
    /// <param name="responseMask">[tokens], 1 for a response token, read.</param>
    /// <param name="alpha">The lower end, ≥ 0.</param>
    /// <param name="beta">The upper end, ≥ alpha; +∞ allowed.</param>
    /// <param name="weights">[tokens], float32, written.</param>
    /// <param name="decisions">[tokens], written.</param>
    public static void Vectorised(
        ReadOnlySpan<float> training,
        ReadOnlySpan<float> inference,
        ReadOnlySpan<byte> responseMask,
        double alpha,
        double beta,
        Span<float> weights,
        Span<TokenDecision> decisions)
    {
        RequireBand(alpha, beta);
        Vector512<float> lowest = Vector512.Create((float)Math.Log(alpha));
        Vector512<float> highest = Vector512.Create((float)Math.Log(beta));
        Vector512<float> infinity = Vector512.Create(float.PositiveInfinity);
        Span<byte> decisionBytes = MemoryMarshal.AsBytes(decisions);
        int t = 0;
        for (; t + 16 <= training.Length; t += 16)
        {
            Vector512<float> difference = Vector512.Create(training[t..]) - Vector512.Create(inference[t..]);
            Vector512<float> exponential = Exponential.Exp(difference);

            // Later selections override earlier ones, so they run against the order of the scalar expression.
            Vector512<float> finite =
                Vector512.LessThan(Vector512.Abs(difference), infinity); // false for NaN
            Vector512<int> decision = Vector512.ConditionalSelect(
                Vector512.LessThan(exponential, infinity).AsInt32(),
                Vector512.Create((int)TokenDecision.Kept),
                Vector512.Create((int)TokenDecision.NonFinite));
            decision = Vector512.ConditionalSelect(
                Vector512.GreaterThan(difference, highest).AsInt32(),
                Vector512.Create((int)TokenDecision.MaskedHigh),
                decision);
            decision = Vector512.ConditionalSelect(
                Vector512.LessThan(difference, lowest).AsInt32(),
                Vector512.Create((int)TokenDecision.MaskedLow),
                decision);
            decision = Vector512.ConditionalSelect(
                finite.AsInt32(), decision, Vector512.Create((int)TokenDecision.NonFinite));
            decision = Vector512.ConditionalSelect(
                Vector512.Equals(WidenBytes(responseMask[t..]), Vector512<int>.Zero),
                Vector512<int>.Zero,
                decision);
            Vector512<float> kept =
                Vector512.Equals(decision, Vector512.Create((int)TokenDecision.Kept)).AsSingle();
            Vector512.ConditionalSelect(kept, exponential, Vector512<float>.Zero).CopyTo(weights[t..]);
            NarrowToBytes(decision).CopyTo(decisionBytes[t..]);
        }

        Scalar(
            training[t..], inference[t..], responseMask[t..], alpha, beta, weights[t..], decisions[t..]);
    }

    /// <summary>Sixteen bytes as sixteen lanes.</summary>
    internal static Vector512<int> WidenBytes(ReadOnlySpan<byte> bytes)
    {
        Vector256<ushort> halves = Vector256.WidenLower(Vector128.Create(bytes).ToVector256());
        return Vector512.WidenLower(halves.ToVector512()).AsInt32();
    }

    /// <summary>Sixteen lanes of small numbers as sixteen bytes.</summary>
    internal static Vector128<byte> NarrowToBytes(Vector512<int> lanes)
    {
        Vector256<ushort> halves =
            Vector256.Narrow(lanes.GetLower().AsUInt32(), lanes.GetUpper().AsUInt32());
        return Vector128.Narrow(halves.GetLower(), halves.GetUpper());
    }
}
