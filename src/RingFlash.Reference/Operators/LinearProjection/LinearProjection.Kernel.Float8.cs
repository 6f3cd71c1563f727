using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// Quantised activations on a device, with the bits of <see cref="QuantiseActivations"/> and
/// <see cref="QuantisedScalar"/>: a thread owns a block of a row, then a thread owns an output. Codes are kept as the
/// float32 numbers that they stand for, as on the CPU. The same kernels serve routed experts.
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
        int tokens = (int)(x.Length / weight.Matrix.Inputs);
        LaunchQuantise(host, x, tokens, weight.Matrix.Inputs, codes, scales);
        LaunchQuantised<TPrecision>(
            host, new QuantisedArguments(ProductPlaces.Plain(tokens), codes, scales, weight.Matrix, bias, y));
    }

    /// <summary>Quantises activations on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="x">[rows, inputs], float32, read.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="inputs">The length of a row.</param>
    /// <param name="codes">[rows, inputs], float32 code values, written.</param>
    /// <param name="scales">[rows, ⌈inputs/128⌉], float32, written.</param>
    internal static void LaunchQuantise(
        KernelHost host, ArrayView<float> x, int rows, int inputs, ArrayView<float> codes, ArrayView<float> scales)
    {
        QuantiseArguments arguments = new(x, codes, scales, rows, inputs);
        LaunchGrid grid = host.GridFor(arguments.Blocks) with { Y = Math.Min(rows, host.MostGroups) };
        host.Launch(QuantiseKernel, grid, arguments);
    }

    /// <summary>Multiplies codes on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    internal static void LaunchQuantised<TPrecision>(KernelHost host, in QuantisedArguments arguments)
        where TPrecision : struct, IPrecision
    {
        LaunchGrid grid = host.GridFor(arguments.Weight.Outputs) with
        {
            Y = Math.Min(arguments.Places.Tokens, host.MostGroups),
            Z = host.MostGroups == 1 ? 1 : arguments.Places.TopK,
        };
        host.Launch(QuantisedKernel<TPrecision>, grid, arguments);
    }

    /// <summary>A thread per block of a row.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void QuantiseKernel(QuantiseArguments a)
    {
        for (int index = Grid.IdxY; index < a.Rows; index += Grid.DimY)
        {
            for (int block = DeviceThread.Index; block < a.Blocks; block += DeviceThread.Count)
            {
                long row = (long)index * a.Inputs;
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
                a.Scales[((long)index * a.Blocks) + block] = scale;
                for (int k = first; k < end; k++)
                {
                    a.Codes[row + k] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(a.X[row + k] / scale));
                }
            }
        }
    }

    /// <summary>A thread per output of an assignment; plain products have one for each token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void QuantisedKernel<TPrecision>(QuantisedArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int token = Grid.IdxY; token < a.Places.Tokens; token += Grid.DimY)
        {
            for (int k = Grid.IdxZ; k < a.Places.TopK; k += Grid.DimZ)
            {
                int assignment = (token * a.Places.TopK) + k;
                int slot = a.Places.SlotOf(assignment), row = a.Places.XRowsPerToken == 1 ? token : assignment;
                for (int n = DeviceThread.Index; n < a.Weight.Outputs && slot >= 0; n += DeviceThread.Count)
                {
                    float total = QuantisedDot(a, row, a.Weight.InSlot(slot), n);
                    float addend = a.Bias.Length == 0 ? 0f : a.Bias[n];
                    a.Y[((long)assignment * a.Weight.Outputs) + n] = TPrecision.Round(total + addend);
                }
            }
        }
    }

    private static float QuantisedDot(QuantisedArguments a, int row, DeviceMatrix weight, int n)
    {
        long start = (long)row * weight.Inputs, words = (long)n * weight.Pitch;
        int blocks = (weight.Inputs + Summation.BlockLength - 1) >> 7;
        float total = 0f;
        for (int block = 0; block < blocks; block++)
        {
            int first = block * Summation.BlockLength;
            int end = first + Summation.BlockLength < weight.Inputs ? first + Summation.BlockLength : weight.Inputs;
            float sum = 0f;
            for (int k = first; k < end; k++)
            {
                float value = Float8Format.Decode(weight.Words[words + (k >> Float8Format.Shift)], k);
                sum = MathF.FusedMultiplyAdd(a.Codes[start + k], value, sum);
            }

            float scale = a.Scales[((long)row * blocks) + block];
            total += sum * scale * weight.ScaleOf<Float8Format>(n, first);
        }

        return total;
    }

    /// <summary>What the first kernel works on.</summary>
    /// <param name="X">[rows, inputs].</param>
    /// <param name="Codes">[rows, inputs], written.</param>
    /// <param name="Scales">[rows, blocks], written.</param>
    /// <param name="Rows">Rows.</param>
    /// <param name="Inputs">Inputs.</param>
    internal readonly record struct QuantiseArguments(
        ArrayView<float> X, ArrayView<float> Codes, ArrayView<float> Scales, int Rows, int Inputs)
    {
        /// <summary>Blocks of a row.</summary>
        public int Blocks { get; } = (Inputs + Summation.BlockLength - 1) / Summation.BlockLength;
    }

    /// <summary>What the second kernel works on.</summary>
    /// <param name="Places">Which rows meet which slot.</param>
    /// <param name="Codes">[rows, inputs].</param>
    /// <param name="Scales">[rows, blocks].</param>
    /// <param name="Weight">[slots, outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[tokens, topK, outputs], written.</param>
    internal readonly record struct QuantisedArguments(
        ProductPlaces Places,
        ArrayView<float> Codes,
        ArrayView<float> Scales,
        DeviceMatrix Weight,
        ArrayView<float> Bias,
        ArrayView<float> Y);
}
