using System;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <summary>Sums of eight tokens × four outputs that a thread holds in registers.</summary>
/// <param name="T0">Token 0.</param>
/// <param name="T1">Token 1.</param>
/// <param name="T2">Token 2.</param>
/// <param name="T3">Token 3.</param>
/// <param name="T4">Token 4.</param>
/// <param name="T5">Token 5.</param>
/// <param name="T6">Token 6.</param>
/// <param name="T7">Token 7.</param>
internal record struct OutputTile(
    Float4 T0, Float4 T1, Float4 T2, Float4 T3, Float4 T4, Float4 T5, Float4 T6, Float4 T7)
{
    /// <summary>One k: a fused multiply-add per sum.</summary>
    /// <param name="tile">The sums so far.</param>
    /// <param name="low">x of tokens 0 … 3.</param>
    /// <param name="high">x of tokens 4 … 7.</param>
    /// <param name="w">W of the four outputs.</param>
    /// <returns>The sums.</returns>
    public static OutputTile Multiply(OutputTile tile, Float4 low, Float4 high, Float4 w) => new(
        Fma(low.X, w, tile.T0),
        Fma(low.Y, w, tile.T1),
        Fma(low.Z, w, tile.T2),
        Fma(low.W, w, tile.T3),
        Fma(high.X, w, tile.T4),
        Fma(high.Y, w, tile.T5),
        Fma(high.Z, w, tile.T6),
        Fma(high.W, w, tile.T7));

    /// <summary>Sums of blocks onto totals.</summary>
    /// <param name="total">The totals.</param>
    /// <param name="block">The block's sums.</param>
    /// <returns>The totals.</returns>
    public static OutputTile Add(OutputTile total, OutputTile block) => new(
        Add(total.T0, block.T0),
        Add(total.T1, block.T1),
        Add(total.T2, block.T2),
        Add(total.T3, block.T3),
        Add(total.T4, block.T4),
        Add(total.T5, block.T5),
        Add(total.T6, block.T6),
        Add(total.T7, block.T7));

    private static Float4 Fma(float x, Float4 w, Float4 sum) => new(
        MathF.FusedMultiplyAdd(x, w.X, sum.X),
        MathF.FusedMultiplyAdd(x, w.Y, sum.Y),
        MathF.FusedMultiplyAdd(x, w.Z, sum.Z),
        MathF.FusedMultiplyAdd(x, w.W, sum.W));

    private static Float4 Add(Float4 a, Float4 b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z, a.W + b.W);
}
