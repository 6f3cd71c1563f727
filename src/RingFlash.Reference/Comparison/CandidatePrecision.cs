using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Which precision a candidate computes in, from what it stored.</summary>
internal static class CandidatePrecision
{
    private const int Sample = 4096;

    /// <summary>Decides.</summary>
    /// <param name="candidate">The candidate.</param>
    /// <param name="hasFloat8Weights">Whether the reference's weights are quantised in blocks.</param>
    /// <returns>The word, and why.</returns>
    public static (string Precision, string Reason) Of(Candidate candidate, bool hasFloat8Weights)
    {
        // Embeddings are copies of weights, and the router is float32 everywhere: neither tells.
        CandidateTap[] taps = [.. candidate.Taps.Values.Where(tap => tap.Name != DataFlow.Embeddings
            && !tap.Name.Contains(".gate.", StringComparison.Ordinal)
            && tap.ElementType is ElementType.Float32 or ElementType.Float64
                or ElementType.BFloat16 or ElementType.Float16)];
        string half = hasFloat8Weights ? "fp8" : "bfloat16";
        CandidateTap? stored = Array.Find(taps, tap => tap.ElementType is ElementType.BFloat16 or ElementType.Float16);
        if (stored is not null)
        {
            return (half, $"{stored.Name} is stored in {Word(stored.ElementType)}");
        }

        bool?[] representable = [.. taps.Select(IsBFloat16)];
        return representable.Contains(true) && !representable.Contains(false)
            ? (half, "stored in float32, but every value is a bfloat16 number")
            : ("float32", taps.Length == 0 ? "no tap says otherwise" : "stored in float32, with float32's digits");
    }

    private static string Word(ElementType type) => type == ElementType.BFloat16 ? "bfloat16" : "float16";

    // Null where the values cannot tell: none but zeros, infinities and NaN.
    private static bool? IsBFloat16(CandidateTap tap)
    {
        float[] values = new float[Math.Min(Sample, tap.ElementCount)];
        tap.ReadSingle(0, values);
        float[] telling = [.. values.Where(value => float.IsFinite(value) && value != 0)];
        return telling.Length == 0 || telling.All(value => value == telling[0])
            ? null
            : telling.All(value => BFloat16.Round(value) == value);
    }
}
