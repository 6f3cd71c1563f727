using System;
using ILGPU;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>How the weights of a matrix lie in 32-bit words on a device; a type parameter of the kernels.</summary>
public interface IWeightFormat
{
    /// <summary>The logarithm of the weights in a word: 0, 1 or 2.</summary>
    static abstract int Shift { get; }

    /// <summary>Whether each 128 × 128 block has a scale.</summary>
    static abstract bool HasScales { get; }

    /// <summary>One weight of a word, without its scale.</summary>
    /// <param name="word">The word.</param>
    /// <param name="index">Which, from the lowest bits; only the lowest <see cref="Shift"/> bits count.</param>
    /// <returns>The number.</returns>
    static abstract float Decode(uint word, int index);

    /// <summary>
    /// Goes on with two chains of fused multiply-adds: sixteen bytes of two rows of W meet the same elements of x.
    /// </summary>
    /// <param name="first">Weights of the first row.</param>
    /// <param name="second">Weights of the second row.</param>
    /// <param name="x">x in shared memory, in fours.</param>
    /// <param name="at">The first four of x.</param>
    /// <param name="firstScale">The scale of the first row's block.</param>
    /// <param name="secondScale">The scale of the second row's block.</param>
    /// <param name="sums">The chains so far.</param>
    /// <returns>The chains.</returns>
    static abstract Float2 Chain(
        UInt4 first, UInt4 second, ArrayView<Float4> x, int at, float firstScale, float secondScale, Float2 sums);
}

/// <summary>One float32 in a word.</summary>
public readonly struct Float32Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 0;

    /// <inheritdoc/>
    public static bool HasScales => false;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) => DeviceIntrinsics.UInt32BitsToSingle(word);

    /// <inheritdoc/>
    public static Float2 Chain(
        UInt4 first, UInt4 second, ArrayView<Float4> x, int at, float firstScale, float secondScale, Float2 sums)
    {
        Float4 values = x[at];
        return new Float2(Chain(first, values, sums.X), Chain(second, values, sums.Y));
    }

    private static float Chain(UInt4 words, Float4 x, float sum)
    {
        sum = MathF.FusedMultiplyAdd(x.X, Decode(words.X, 0), sum);
        sum = MathF.FusedMultiplyAdd(x.Y, Decode(words.Y, 0), sum);
        sum = MathF.FusedMultiplyAdd(x.Z, Decode(words.Z, 0), sum);
        return MathF.FusedMultiplyAdd(x.W, Decode(words.W, 0), sum);
    }
}

/// <summary>Two bfloat16 in a word.</summary>
public readonly struct BFloat16Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 1;

    /// <inheritdoc/>
    public static bool HasScales => false;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) =>
        DeviceIntrinsics.UInt32BitsToSingle((word >> ((index & 1) << 4)) << 16);

    /// <inheritdoc/>
    public static Float2 Chain(
        UInt4 first, UInt4 second, ArrayView<Float4> x, int at, float firstScale, float secondScale, Float2 sums)
    {
        Float4 lower = x[at], upper = x[at + 1];
        float a = Chain(first.X, first.Y, lower, sums.X), b = Chain(second.X, second.Y, lower, sums.Y);
        return new Float2(Chain(first.Z, first.W, upper, a), Chain(second.Z, second.W, upper, b));
    }

    private static float Chain(uint lower, uint upper, Float4 x, float sum)
    {
        sum = MathF.FusedMultiplyAdd(x.X, Decode(lower, 0), sum);
        sum = MathF.FusedMultiplyAdd(x.Y, Decode(lower, 1), sum);
        sum = MathF.FusedMultiplyAdd(x.Z, Decode(upper, 0), sum);
        return MathF.FusedMultiplyAdd(x.W, Decode(upper, 1), sum);
    }
}

/// <summary>Four e4m3 codes in a word, scaled by block.</summary>
public readonly struct Float8Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 2;

    /// <inheritdoc/>
    public static bool HasScales => true;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) =>
        Float8E4M3.ToSingle((byte)(word >> ((index & 3) << 3)));

    /// <inheritdoc/>
    public static Float2 Chain(
        UInt4 first, UInt4 second, ArrayView<Float4> x, int at, float firstScale, float secondScale, Float2 sums)
    {
        Float4 x0 = x[at], x1 = x[at + 1], x2 = x[at + 2], x3 = x[at + 3];
        float a = Chain(first.Y, x1, firstScale, Chain(first.X, x0, firstScale, sums.X));
        float b = Chain(second.Y, x1, secondScale, Chain(second.X, x0, secondScale, sums.Y));
        return new Float2(
            Chain(first.W, x3, firstScale, Chain(first.Z, x2, firstScale, a)),
            Chain(second.W, x3, secondScale, Chain(second.Z, x2, secondScale, b)));
    }

    private static float Chain(uint word, Float4 x, float scale, float sum)
    {
        sum = MathF.FusedMultiplyAdd(x.X, Decode(word, 0) * scale, sum);
        sum = MathF.FusedMultiplyAdd(x.Y, Decode(word, 1) * scale, sum);
        sum = MathF.FusedMultiplyAdd(x.Z, Decode(word, 2) * scale, sum);
        return MathF.FusedMultiplyAdd(x.W, Decode(word, 3) * scale, sum);
    }
}
