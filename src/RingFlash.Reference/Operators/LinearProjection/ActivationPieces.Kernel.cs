using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Activations as tensor cores take them: each float32 as the sum of one or two bfloat16 numbers.
/// </summary>
/// <remarks>
/// <para>Maths: high = bf16(x), low = bf16(x − high). The difference is exact (it has at most 16 significant bits), so
/// |x − high − low| ≤ 2⁻⁸·|x − high| ≤ 2⁻¹⁶·|x|. A bfloat16 number is its own high piece and needs no low one.</para>
/// <para>Special: where x is finite and the nearest bfloat16 is not, high is x cut off; an ∞ or NaN has the low piece
/// 0.</para>
/// <para>Layout: [pieces, tokens, pitch] words of two, rows filled with zeros to a multiple of 64 inputs. For e4m3
/// weights the eight pairs of 16 inputs lie in the order 0 2 4 6 1 3 5 7: a lane that loads four neighbouring codes in
/// one word then has the pairs 2t and 2t + 1 where the hardware wants t and t + 4.</para>
/// </remarks>
internal static class ActivationPieces
{
    /// <summary>Rows are filled up to a multiple of this.</summary>
    public const int Step = 64;

    /// <summary>Words from one row to the next.</summary>
    /// <param name="inputs">The length of a row.</param>
    /// <returns>A multiple of 32.</returns>
    public static int Pitch(int inputs) => (inputs + Step - 1) / Step * (Step / 2);

    /// <summary>Splits rows on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    public static void Launch(KernelHost host, in Arguments arguments) =>
        host.Launch(SplitKernel, host.GridFor((long)arguments.Tokens * arguments.Pitch), arguments);

    /// <summary>A thread per word; consecutive threads write consecutive words.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void SplitKernel(Arguments a)
    {
        for (int token = 0; token < a.Tokens; token++)
        {
            for (int word = DeviceThread.Index; word < a.Pitch; word += DeviceThread.Count)
            {
                int place = word & 7;
                int pair = a.Interleaved == 0 ? place : ((place & 3) << 1) + (place >> 2);
                int input = ((word >> 3) << 4) + (pair << 1);
                long row = (long)token * a.Inputs, to = ((long)token * a.Pitch) + word;
                float first = input < a.Inputs ? a.X[row + input] : 0f;
                float second = input + 1 < a.Inputs ? a.X[row + input + 1] : 0f;
                uint firstHigh = High(first), secondHigh = High(second);
                a.Words[to] = firstHigh | (secondHigh << 16);
                if (a.Pieces > 1)
                {
                    a.Words[((long)a.Tokens * a.Pitch) + to] = Low(first, firstHigh) | (Low(second, secondHigh) << 16);
                }
            }
        }
    }

    private static uint High(float x)
    {
        uint cut = DeviceIntrinsics.SingleToUInt32Bits(x) >> 16, nearest = BFloat16.FromSingle(x);
        return (nearest & 0x7FFF) == 0x7F80 ? cut : nearest;
    }

    private static uint Low(float x, uint high) =>
        (high & 0x7F80) == 0x7F80 ? 0u : BFloat16.FromSingle(x - BFloat16.ToSingle((ushort)high));

    /// <summary>What the kernel works on.</summary>
    /// <param name="X">[tokens, inputs].</param>
    /// <param name="Words">[pieces, tokens, pitch], written.</param>
    /// <param name="Tokens">The rows.</param>
    /// <param name="Inputs">The length of a row.</param>
    /// <param name="Pitch">Words from one row to the next.</param>
    /// <param name="Pieces">1 or 2.</param>
    /// <param name="Interleaved">Whether pairs are reordered for e4m3 weights: 0 or 1.</param>
    internal readonly record struct Arguments(
        ArrayView<float> X, ArrayView<uint> Words, int Tokens, int Inputs, int Pitch, int Pieces, int Interleaved);
}
