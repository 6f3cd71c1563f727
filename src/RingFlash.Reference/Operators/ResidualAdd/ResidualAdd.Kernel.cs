using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>One kernel: a thread takes every n-th element, neighbouring threads neighbouring elements.</content>
public static partial class ResidualAdd
{
    /// <summary>Adds on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="residual">[tokens, hidden], float32, read.</param>
    /// <param name="update">[tokens, hidden], float32, read.</param>
    /// <param name="y">[tokens, hidden], float32, written; may be either input.</param>
    public static void Launch<TPrecision>(
        KernelHost host, ArrayView<float> residual, ArrayView<float> update, ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        host.Launch(
            Kernel<TPrecision>, host.GridFor(residual.Length), new KernelArguments(residual, update, y));
    }

    /// <summary>A thread per element.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (long i = DeviceThread.Index; i < a.Residual.Length; i += DeviceThread.Count)
        {
            a.Y[i] = TPrecision.Round(a.Residual[i] + a.Update[i]);
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Residual">[tokens, hidden].</param>
    /// <param name="Update">[tokens, hidden].</param>
    /// <param name="Y">[tokens, hidden], written.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Residual, ArrayView<float> Update, ArrayView<float> Y);
}
