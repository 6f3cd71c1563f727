using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// One kernel: a thread takes every n-th element, neighbouring threads neighbouring elements. There is nothing to share
/// and the memory is read once, so a second version would gain nothing but 16-byte loads.
/// </content>
public static partial class SwiGlu
{
    /// <summary>Activates on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="gate">[tokens, intermediate], float32, read.</param>
    /// <param name="up">[tokens, intermediate], float32, read.</param>
    /// <param name="y">[tokens, intermediate], float32, written; may be gate or up.</param>
    public static void Launch<TPrecision>(
        KernelHost host, ArrayView<float> gate, ArrayView<float> up, ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        host.Launch(Kernel<TPrecision>, host.GridFor(gate.Length), new KernelArguments(gate, up, y));
    }

    /// <summary>A thread per element.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (long i = DeviceThread.Index; i < a.Gate.Length; i += DeviceThread.Count)
        {
            a.Y[i] = TPrecision.Round(TPrecision.Round(Silu.Apply(a.Gate[i])) * a.Up[i]);
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Gate">[tokens, intermediate].</param>
    /// <param name="Up">[tokens, intermediate].</param>
    /// <param name="Y">[tokens, intermediate], written.</param>
    internal readonly record struct KernelArguments(ArrayView<float> Gate, ArrayView<float> Up, ArrayView<float> Y);
}
