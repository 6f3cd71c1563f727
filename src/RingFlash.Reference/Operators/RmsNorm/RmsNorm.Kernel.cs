using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>Two kernels, with the bits of <see cref="Scalar"/>. The naive one is there to be read: a thread owns a row
/// and walks it as the page says, its 32 stripes in local memory; neighbouring threads load from different rows, so
/// every load of a warp touches 32 cache lines.</para>
/// <para>The fast one gives a row to 8 lanes, so a warp has four rows. A lane loads 16 bytes, elements 4j … 4j + 3 of
/// every 32: four whole stripes, kept in four registers. Eight lanes load 128 bytes side by side; the tree's steps 16,
/// 8 and 4 are shuffles by 4, 2 and 1 lanes, its steps 2 and 1 stay inside a lane. Nothing goes through shared memory
/// and nothing waits. It needs rows of whole 128 bytes.</para>
/// </content>
public static partial class RmsNorm
{
    private const int LanesOfARow = 8;
    private const int RowsOfAWarp = KernelHost.Lanes / LanesOfARow;

    /// <summary>Normalises rows on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="weight">[hidden], float32, read.</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <param name="y">[tokens, hidden], float32, written; not x.</param>
    public static void Launch<TPrecision>(
        KernelHost host, ArrayView<float> x, ArrayView<float> weight, float epsilon, ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        int hidden = weight.IntLength, rows = (int)(x.Length / hidden);
        KernelArguments arguments = new(x, weight, y, rows, hidden, epsilon);
        if (host.PrefersFast && hidden % StripeSums.Count == 0)
        {
            LaunchFast<TPrecision>(host, arguments);
        }
        else
        {
            host.Launch(NaiveKernel<TPrecision>, host.GridFor(rows), arguments);
        }
    }

    /// <summary>Launches the fast kernel, whatever the device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments; hidden is a multiple of 32.</param>
    internal static void LaunchFast<TPrecision>(KernelHost host, in KernelArguments arguments)
        where TPrecision : struct, IPrecision
    {
        int rowsOfAGroup = RowsOfAWarp * host.Warps;
        host.Launch(
            FastKernel<TPrecision>, new LaunchGrid((arguments.Rows + rowsOfAGroup - 1) / rowsOfAGroup), arguments);
    }

    /// <summary>A thread per row.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(LocalMemory = true, VectorLoads = 0)]
    internal static void NaiveKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        ArrayView<float> stripes = LocalMemory.Allocate<float>(StripeSums.Count);
        for (int row = DeviceThread.Index; row < a.Rows; row += DeviceThread.Count)
        {
            long start = (long)row * a.Hidden;
            float meanSquare = StripeSums.OfSquares(a.X, start, a.Hidden, stripes) / a.Hidden;
            float reciprocalRoot = DeviceIntrinsics.Keep(1f / MathF.Sqrt(meanSquare + a.Epsilon));
            for (int h = 0; h < a.Hidden; h++)
            {
                float normalised = TPrecision.Round(a.X[start + h] * reciprocalRoot);
                a.Y[start + h] = TPrecision.Round(a.Weight[h] * normalised);
            }
        }
    }

    /// <summary>Eight lanes per row.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments; hidden is a multiple of 32.</param>
    [Kernel(VectorLoads = 3)]
    internal static void FastKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        int warp = (Grid.IdxX * Group.DimY) + Group.IdxY;
        int row = (warp * RowsOfAWarp) + (Group.IdxX >> 3);
        int last = a.Rows - 1;

        // Lanes beyond the last row repeat it, because all lanes must meet in the shuffles.
        long start = (long)(row < last ? row : last) * a.Hidden;
        int first = (Group.IdxX & (LanesOfARow - 1)) << 2;
        float s0 = 0f, s1 = 0f, s2 = 0f, s3 = 0f;
        for (int h = first; h < a.Hidden; h += StripeSums.Count)
        {
            Float4 x = DeviceIntrinsics.Load(ref a.X[start + h]);
            s0 = MathF.FusedMultiplyAdd(x.X, x.X, s0);
            s1 = MathF.FusedMultiplyAdd(x.Y, x.Y, s1);
            s2 = MathF.FusedMultiplyAdd(x.Z, x.Z, s2);
            s3 = MathF.FusedMultiplyAdd(x.W, x.W, s3);
        }

        for (int distance = LanesOfARow / 2; distance > 0; distance >>= 1)
        {
            s0 += Warp.ShuffleXor(s0, distance);
            s1 += Warp.ShuffleXor(s1, distance);
            s2 += Warp.ShuffleXor(s2, distance);
            s3 += Warp.ShuffleXor(s3, distance);
        }

        float meanSquare = ((s0 + s2) + (s1 + s3)) / a.Hidden;
        float reciprocalRoot = DeviceIntrinsics.Keep(1f / MathF.Sqrt(meanSquare + a.Epsilon));
        if (row > last)
        {
            return;
        }

        for (int h = first; h < a.Hidden; h += StripeSums.Count)
        {
            Float4 x = DeviceIntrinsics.Load(ref a.X[start + h]);
            Float4 weight = DeviceIntrinsics.Load(ref a.Weight[h]);
            Float4 y = new(
                TPrecision.Round(weight.X * TPrecision.Round(x.X * reciprocalRoot)),
                TPrecision.Round(weight.Y * TPrecision.Round(x.Y * reciprocalRoot)),
                TPrecision.Round(weight.Z * TPrecision.Round(x.Z * reciprocalRoot)),
                TPrecision.Round(weight.W * TPrecision.Round(x.W * reciprocalRoot)));
            DeviceIntrinsics.Store(ref a.Y[start + h], y);
        }
    }

    /// <summary>What the kernels work on.</summary>
    /// <param name="X">[rows, hidden].</param>
    /// <param name="Weight">[hidden].</param>
    /// <param name="Y">[rows, hidden], written; not X.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Hidden">The width of a row.</param>
    /// <param name="Epsilon">Inside the root.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> X, ArrayView<float> Weight, ArrayView<float> Y, int Rows, int Hidden, float Epsilon);
}
