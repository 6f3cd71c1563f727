using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// Quantised activations on a device, with the bits of <see cref="QuantiseActivations"/> and
/// <see cref="QuantisedScalar"/>: a thread owns a block of a token, then a thread owns an output. Codes are kept as the
/// float32 numbers that they stand for, as on the CPU.
/// </content>
public static partial class LinearProjection
{
    /// <summary>Quantises activations and multiplies, on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs], e4m3 codes with scales.</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="codes">[tokens, inputs], float32 code values, written.</param>
    /// <param name="scales">[tokens, ⌈inputs/128⌉], float32, written.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static void LaunchQuantised<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        DeviceWeight weight,
        ArrayView<float> bias,
        ArrayView<float> codes,
        ArrayView<float> scales,
        ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(weight);
        int inputs = weight.Matrix.Inputs, tokens = (int)(x.Length / inputs);
        int blocks = (inputs + Summation.BlockLength - 1) / Summation.BlockLength;
        int tokenGroups = Math.Min(tokens, host.MostGroups);
        host.Launch(
            QuantiseKernel,
            host.GridFor(blocks) with { Y = tokenGroups },
            new QuantiseArguments(x, codes, scales, tokens, inputs, blocks));
        host.Launch(
            QuantisedKernel<TPrecision>,
            host.GridFor(weight.Matrix.Outputs) with { Y = tokenGroups },
            new QuantisedArguments(codes, scales, weight.Matrix, bias, y, tokens, blocks));
    }

    /// <summary>A thread per block of a token.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void QuantiseKernel(QuantiseArguments a)
    {
        for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
        {
            for (int block = DeviceThread.Index; block < a.Blocks; block += DeviceThread.Count)
            {
                long row = (long)token * a.Inputs;
                int first = block * Summation.BlockLength;
                int end = first + Summation.BlockLength < a.Inputs ? first + Summation.BlockLength : a.Inputs;
                float absoluteMaximum = ActivationFloor;
                for (int k = first; k < end; k++)
                {
                    float value = a.X[row + k];
                    float size = value < 0f ? -value : value;
                    absoluteMaximum = size > absoluteMaximum ? size : absoluteMaximum;
                }

                float scale = DeviceIntrinsics.Keep(absoluteMaximum / LargestCode);
                a.Scales[((long)token * a.Blocks) + block] = scale;
                for (int k = first; k < end; k++)
                {
                    a.Codes[row + k] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(a.X[row + k] / scale));
                }
            }
        }
    }

    /// <summary>A thread per output.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void QuantisedKernel<TPrecision>(QuantisedArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
        {
            for (int n = DeviceThread.Index; n < a.Weight.Outputs; n += DeviceThread.Count)
            {
                long start = (long)token * a.Weight.Inputs, words = (long)n * a.Weight.Pitch;
                float total = 0f;
                for (int block = 0; block < a.Blocks; block++)
                {
                    int first = block * Summation.BlockLength;
                    int end = first + Summation.BlockLength < a.Weight.Inputs
                        ? first + Summation.BlockLength
                        : a.Weight.Inputs;
                    float sum = 0f;
                    for (int k = first; k < end; k++)
                    {
                        float value = Float8Format.Decode(a.Weight.Words[words + (k >> Float8Format.Shift)], k);
                        sum = MathF.FusedMultiplyAdd(a.Codes[start + k], value, sum);
                    }

                    float scale = a.Scales[((long)token * a.Blocks) + block];
                    total += sum * scale * a.Weight.ScaleOf<Float8Format>(n, first);
                }

                float addend = a.Bias.Length == 0 ? 0f : a.Bias[n];
                a.Y[((long)token * a.Weight.Outputs) + n] = TPrecision.Round(total + addend);
            }
        }
    }

    /// <summary>What the first kernel works on.</summary>
    /// <param name="X">[tokens, inputs].</param>
    /// <param name="Codes">[tokens, inputs], written.</param>
    /// <param name="Scales">[tokens, blocks], written.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="Inputs">Inputs.</param>
    /// <param name="Blocks">Blocks of a token.</param>
    internal readonly record struct QuantiseArguments(
        ArrayView<float> X, ArrayView<float> Codes, ArrayView<float> Scales, int Tokens, int Inputs, int Blocks);

    /// <summary>What the second kernel works on.</summary>
    /// <param name="Codes">[tokens, inputs].</param>
    /// <param name="Scales">[tokens, blocks].</param>
    /// <param name="Weight">[outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[tokens, outputs], written.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="Blocks">Blocks of a token.</param>
    internal readonly record struct QuantisedArguments(
        ArrayView<float> Codes,
        ArrayView<float> Scales,
        DeviceMatrix Weight,
        ArrayView<float> Bias,
        ArrayView<float> Y,
        int Tokens,
        int Blocks);
}
