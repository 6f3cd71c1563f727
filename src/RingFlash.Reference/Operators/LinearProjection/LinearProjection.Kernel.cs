using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// The naive kernel, with the bits of <see cref="Scalar"/>: a thread owns an output and walks the row of W in the order
/// for products. One source for the three formats of weights.
/// </content>
public static partial class LinearProjection
{
    /// <summary>Up to so many tokens reading W costs more than multiplying.</summary>
    internal const int FewTokens = 4;

    /// <summary>Multiplies on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static void Launch<TPrecision>(
        KernelHost host, ArrayView<float> x, DeviceWeight weight, ArrayView<float> bias, ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(weight);
        switch (weight.Format)
        {
            case PanelFormat.Float32:
                Launch<TPrecision, Float32Format>(host, x, weight.Matrix, bias, y);
                break;
            case PanelFormat.BFloat16:
                Launch<TPrecision, BFloat16Format>(host, x, weight.Matrix, bias, y);
                break;
            default:
                Launch<TPrecision, Float8Format>(host, x, weight.Matrix, bias, y);
                break;
        }
    }

    private static void Launch<TPrecision, TFormat>(
        KernelHost host, ArrayView<float> x, in DeviceMatrix weight, ArrayView<float> bias, ArrayView<float> y)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        int tokens = (int)(x.Length / weight.Inputs);
        if (host.PrefersFast && tokens <= FewTokens && FitsRows(host, weight))
        {
            LaunchRows<TPrecision, TFormat>(host, new RowArguments(ProductPlaces.Plain(tokens), x, weight, bias, y));
        }
        else if (host.PrefersFast)
        {
            LaunchTiles<TPrecision, TFormat>(host, new TileArguments(RowLists.Plain(tokens), x, weight, bias, y));
        }
        else
        {
            LaunchGrid grid = host.GridFor(weight.Outputs) with { Y = Math.Min(tokens, host.MostGroups) };
            host.Launch(
                NaiveKernel<TPrecision, TFormat>, grid, new KernelArguments(x, weight, bias, y, tokens));
        }
    }

    /// <summary>A thread per output.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void NaiveKernel<TPrecision, TFormat>(KernelArguments a)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
        {
            for (int n = DeviceThread.Index; n < a.Weight.Outputs; n += DeviceThread.Count)
            {
                float sum = Dot<TFormat>(a.X, (long)token * a.Weight.Inputs, a.Weight, n);
                float addend = a.Bias.Length == 0 ? 0f : a.Bias[n];
                a.Y[((long)token * a.Weight.Outputs) + n] = TPrecision.Round(sum + addend);
            }
        }
    }

    /// <summary>One output in the order for products, by one thread.</summary>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="x">Where the input row lies.</param>
    /// <param name="start">Its first element.</param>
    /// <param name="weight">W.</param>
    /// <param name="row">The row of W.</param>
    /// <returns>The sum.</returns>
    internal static float Dot<TFormat>(ArrayView<float> x, long start, DeviceMatrix weight, int row)
        where TFormat : struct, IWeightFormat
    {
        long words = (long)row * weight.Pitch;
        float total = 0f;
        for (int first = 0; first < weight.Inputs; first += Summation.BlockLength)
        {
            int end = first + Summation.BlockLength < weight.Inputs ? first + Summation.BlockLength : weight.Inputs;
            float scale = weight.ScaleOf<TFormat>(row, first);
            float block = 0f;
            for (int k = first; k < end; k++)
            {
                float value = TFormat.Decode(weight.Words[words + (k >> TFormat.Shift)], k);
                block = MathF.FusedMultiplyAdd(x[start + k], TFormat.HasScales ? value * scale : value, block);
            }

            total += block;
        }

        return total;
    }

    /// <summary>What the kernels work on.</summary>
    /// <param name="X">[tokens, inputs].</param>
    /// <param name="Weight">[outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[tokens, outputs], written.</param>
    /// <param name="Tokens">The rows of X.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> X, DeviceMatrix Weight, ArrayView<float> Bias, ArrayView<float> Y, int Tokens);
}
