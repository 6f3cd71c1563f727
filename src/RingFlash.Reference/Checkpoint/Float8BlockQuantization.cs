using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Block FP8 as the published converter writes it: e4m3 codes and one float32 scale per 128 × 128 block of a weight.
/// The way back is <see cref="Float8BlockMatrix"/>: code · scale.
/// </summary>
/// <remarks>
/// <para>Maths: scale = max(max |w|, 1e-4) / 448 over the block; where the scale has to be a power of two,
/// 2^⌈log2 max(scale, 1e-10)⌉. Code = e4m3(w / scale).</para>
/// <para>Rounding: the division by 448 and the division by the scale are float32; the code is the nearest, ties to
/// even, saturating at ±448. A block at the edge counts what is there (the converter pads with zeros).</para>
/// <para>Special values: weights must be finite; a block of zeros has scale 1e-4 / 448.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e tools/convert_dcp_to_safetensors.py.</para>
/// </remarks>
public static class Float8BlockQuantization
{
    private const float SmallestMaximum = 1e-4f;

    private const float SmallestScale = 1e-10f;

    private const uint FractionMask = 0x007FFFFF;

    private const uint MagnitudeMask = 0x7FFFFFFF;

    private const int Lanes = 16;

    /// <summary>Whether the published converter rounds the scales of a matrix up to powers of two.</summary>
    /// <param name="name">The checkpoint name of a quantised matrix.</param>
    /// <returns>True for the attention's output projection and the routed experts' gate and up projections.</returns>
    public static bool HasPowerOfTwoScale(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.EndsWith(".attention.dense.weight", StringComparison.Ordinal)
            || (name.Contains(".mlp.experts.", StringComparison.Ordinal)
                && !name.EndsWith(".down_proj.weight", StringComparison.Ordinal));
    }

    /// <summary>The scale of a block.</summary>
    /// <param name="maximum">The largest absolute value in it.</param>
    /// <param name="powerOfTwo">Whether it is rounded up to a power of two.</param>
    /// <returns>The scale, a normal positive number.</returns>
    public static float Scale(float maximum, bool powerOfTwo)
    {
        float scale = MathF.Max(maximum, SmallestMaximum) / Float8E4M3.MaxValue;
        return powerOfTwo ? RoundUpToPowerOfTwo(MathF.Max(scale, SmallestScale)) : scale;
    }

    /// <summary>Quantises one row of blocks, or some of its blocks: up to 128 rows of the matrix.</summary>
    /// <param name="values">[rows, columns], float32, finite, read; at most 128 rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="powerOfTwo">Whether scales are powers of two.</param>
    /// <param name="codes">[rows, columns], e4m3, written.</param>
    /// <param name="codeStride">From a row of codes to the next, at least <paramref name="columns"/>.</param>
    /// <param name="scales">[⌈columns / 128⌉], float32, written.</param>
    public static void QuantizeBlockRow(
        ReadOnlySpan<float> values,
        int columns,
        bool powerOfTwo,
        Span<byte> codes,
        int codeStride,
        Span<float> scales)
    {
        int rows = values.Length / columns;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, Float8BlockMatrix.BlockSize);
        ArgumentOutOfRangeException.ThrowIfLessThan(codeStride, columns);
        for (int block = 0; block < scales.Length; block++)
        {
            int first = block * Float8BlockMatrix.BlockSize;
            int width = Math.Min(Float8BlockMatrix.BlockSize, columns - first);
            scales[block] = Scale(LargestMagnitude(values[first..], rows, columns, width), powerOfTwo);
            Quantize(values[first..], rows, columns, width, scales[block], codes[first..], codeStride);
        }
    }

    // A positive normal number is 2^e · 1.f: with a fraction, the next power of two is one exponent step further.
    private static float RoundUpToPowerOfTwo(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + FractionMask) & ~FractionMask);
    }

    // The block begins at values[0]; its rows are (columns) apart and (width) long. Magnitudes compare like their bits,
    // and the maximum of integers is one instruction, that of numbers with their NaN and their two zeros several.
    private static float LargestMagnitude(ReadOnlySpan<float> values, int rows, int columns, int width)
    {
        Vector512<uint> magnitudeMask = Vector512.Create(MagnitudeMask);
        Vector512<uint> even = Vector512<uint>.Zero, odd = even;
        int vectorised = width / (2 * Lanes) * (2 * Lanes);
        uint maximum = 0;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<uint> part = MemoryMarshal.Cast<float, uint>(values.Slice(row * columns, width));
            ref uint source = ref MemoryMarshal.GetReference(part);
            for (int index = 0; index < vectorised; index += 2 * Lanes)
            {
                even = Vector512.Max(even, Vector512.LoadUnsafe(ref source, (nuint)index) & magnitudeMask);
                odd = Vector512.Max(odd, Vector512.LoadUnsafe(ref source, (nuint)(index + Lanes)) & magnitudeMask);
            }

            foreach (uint bits in part[vectorised..])
            {
                maximum = Math.Max(maximum, bits & MagnitudeMask);
            }
        }

        even = Vector512.Max(even, odd);
        for (int lane = 0; lane < Lanes; lane++)
        {
            maximum = Math.Max(maximum, even[lane]);
        }

        return BitConverter.UInt32BitsToSingle(maximum);
    }

    // All rows of the block in one loop, so that the constants stay in registers.
    private static void Quantize(
        ReadOnlySpan<float> values,
        int rows,
        int columns,
        int width,
        float scale,
        Span<byte> codes,
        int codeStride)
    {
        const int Step = 4 * Lanes; // four vectors of codes fill one vector of bytes
        Vector512<float> divisor = Vector512.Create(scale);
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> part = values.Slice(row * columns, width);
            Span<byte> partCodes = codes.Slice(row * codeStride, width);
            ref float source = ref MemoryMarshal.GetReference(part);
            ref byte target = ref MemoryMarshal.GetReference(partCodes);
            int index = 0;
            for (; index <= width - Step; index += Step)
            {
                Vector512<uint> a = Codes(ref source, index, divisor);
                Vector512<uint> b = Codes(ref source, index + Lanes, divisor);
                Vector512<uint> c = Codes(ref source, index + (2 * Lanes), divisor);
                Vector512<uint> d = Codes(ref source, index + (3 * Lanes), divisor);
                Vector512.Narrow(Vector512.Narrow(a, b), Vector512.Narrow(c, d)).StoreUnsafe(ref target, (nuint)index);
            }

            for (; index < width; index++)
            {
                partCodes[index] = Float8E4M3.FromSingle(part[index] / scale);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Codes(ref float source, int index, Vector512<float> divisor) =>
        Float8E4M3.FromSingle(Vector512.LoadUnsafe(ref source, (nuint)index) / divisor);
}
