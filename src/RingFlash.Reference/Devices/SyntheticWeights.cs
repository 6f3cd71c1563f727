using System;
using ILGPU;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// Makes synthetic weights where they are used, with the bits of <see cref="SyntheticSource"/> and
/// <see cref="Float8BlockQuantization"/>: a card needs neither disk nor bus for a model of any size.
/// </summary>
/// <remarks>
/// Plain formats: a thread owns a word. Block FP8: a group owns a block, takes the maximum of its numbers (whose order
/// changes nothing), then makes every number a second time, for its code: cheaper than keeping 64 KB of them.
/// </remarks>
internal static class SyntheticWeights
{
    private const int BlockShift = 7;

    /// <summary>Makes one matrix.</summary>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    /// <param name="format">How it lies.</param>
    public static void Launch(KernelHost host, in Arguments arguments, PanelFormat format)
    {
        ArgumentNullException.ThrowIfNull(host);
        switch (format)
        {
            case PanelFormat.Float8E4M3:
                host.Launch(
                    Float8Kernel,
                    new LaunchGrid((arguments.Inputs + 127) >> BlockShift, (arguments.Outputs + 127) >> BlockShift),
                    arguments);
                break;
            case PanelFormat.BFloat16:
                host.Launch(PlainKernel<BFloat16Format>, PlainGrid(host, arguments), arguments);
                break;
            default:
                host.Launch(PlainKernel<Float32Format>, PlainGrid(host, arguments), arguments);
                break;
        }
    }

    /// <summary>A thread per word.</summary>
    /// <typeparam name="TFormat">Float32 or bfloat16; e4m3 needs scales first and is refused.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void PlainKernel<TFormat>(Arguments a)
        where TFormat : struct, IWeightFormat
    {
        for (int row = Grid.IdxY; row < a.Outputs; row += Grid.DimY)
        {
            for (int word = DeviceThread.Index; word < a.Pitch; word += DeviceThread.Count)
            {
                int column = word << TFormat.Shift;
                uint bits = DeviceIntrinsics.SingleToUInt32Bits(Element(a, row, column));
                if (TFormat.Shift == 1)
                {
                    uint upper = DeviceIntrinsics.SingleToUInt32Bits(Element(a, row, column + 1));
                    bits = (bits >> 16) | (upper & 0xFFFF0000);
                }

                a.Words[a.FirstWord + ((long)row * a.Pitch) + word] = bits;
            }
        }
    }

    /// <summary>A group per 128 × 128 block.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Float8Kernel(Arguments a)
    {
        ArrayView<float> maxima = SharedMemory.Allocate<float>(KernelHost.Lanes);
        int thread = (Group.IdxY << 5) + Group.IdxX, threads = Group.DimY << 5;
        int firstRow = Grid.IdxY << BlockShift, firstColumn = Grid.IdxX << BlockShift;
        float maximum = 0f;
        for (int index = thread; index < 1 << (2 * BlockShift); index += threads)
        {
            float value = Element(a, firstRow + (index >> BlockShift), firstColumn + (index & 127));
            maximum = MathF.Max(maximum, MathF.Abs(value));
        }

        maximum = MathF.Max(maximum, Warp.ShuffleXor(maximum, 16));
        maximum = MathF.Max(maximum, Warp.ShuffleXor(maximum, 8));
        maximum = MathF.Max(maximum, Warp.ShuffleXor(maximum, 4));
        maximum = MathF.Max(maximum, Warp.ShuffleXor(maximum, 2));
        maximum = MathF.Max(maximum, Warp.ShuffleXor(maximum, 1));
        if (Group.IdxX == 0)
        {
            maxima[Group.IdxY] = maximum;
        }

        Group.Barrier();
        for (int warp = 0; warp < Group.DimY; warp++)
        {
            maximum = MathF.Max(maximum, maxima[warp]);
        }

        float scale = DeviceIntrinsics.Keep(Float8BlockQuantization.Scale(maximum, a.PowerOfTwo != 0));
        if (thread == 0)
        {
            a.Scales[a.FirstScale + ((long)Grid.IdxY * Grid.DimX) + Grid.IdxX] = scale;
        }

        for (int index = thread; index < 1 << ((2 * BlockShift) - 2); index += threads)
        {
            int row = firstRow + (index >> 5), column = firstColumn + ((index & 31) << 2), word = column >> 2;
            if (row < a.Outputs && word < a.Pitch)
            {
                a.Words[a.FirstWord + ((long)row * a.Pitch) + word] = Code(a, row, column, scale)
                    | (Code(a, row, column + 1, scale) << 8)
                    | (Code(a, row, column + 2, scale) << 16)
                    | (Code(a, row, column + 3, scale) << 24);
            }
        }
    }

    private static uint Code(Arguments a, int row, int column, float scale) =>
        Float8E4M3.FromSingle(Element(a, row, column) / scale);

    /// <summary>A number of the matrix; 0 outside.</summary>
    private static float Element(Arguments a, int row, int column) => row < a.Outputs && column < a.Inputs
        ? SyntheticSource.Element(a.Base, ((long)row * a.Inputs) + column, a.Offset, a.Scale)
        : 0f;

    private static LaunchGrid PlainGrid(KernelHost host, in Arguments arguments) =>
        host.GridFor(arguments.Pitch) with { Y = Math.Min(arguments.Outputs, host.MostGroups) };

    /// <summary>What the kernels work on.</summary>
    /// <param name="Words">Where the numbers go.</param>
    /// <param name="Scales">Where the scales go; or empty.</param>
    /// <param name="FirstWord">The matrix's first word.</param>
    /// <param name="FirstScale">Its first scale.</param>
    /// <param name="Outputs">Rows.</param>
    /// <param name="Inputs">Columns.</param>
    /// <param name="Pitch">Words from row to row.</param>
    /// <param name="PowerOfTwo">Whether scales are powers of two: 0 or 1.</param>
    /// <param name="Base">The sequence.</param>
    /// <param name="Offset">The middle of the numbers.</param>
    /// <param name="Scale">Half their range.</param>
    internal readonly record struct Arguments(
        ArrayView<uint> Words,
        ArrayView<float> Scales,
        long FirstWord,
        long FirstScale,
        int Outputs,
        int Inputs,
        int Pitch,
        int PowerOfTwo,
        ulong Base,
        float Offset,
        float Scale);
}
