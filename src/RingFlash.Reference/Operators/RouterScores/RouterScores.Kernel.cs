using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// One kernel, with the bits of <see cref="Scalar"/>: a thread owns an element. A layer's scores are a few hundred
/// numbers per token, so how they are loaded does not matter.
/// </content>
public static partial class RouterScores
{
    /// <summary>Scores on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="routerLogits">[tokens, experts], float32, read.</param>
    /// <param name="scores">[tokens, experts], float32, written; may be routerLogits.</param>
    public static void Launch(KernelHost host, ArrayView<float> routerLogits, ArrayView<float> scores)
    {
        ArgumentNullException.ThrowIfNull(host);
        host.Launch(
            Kernel,
            host.GridFor(routerLogits.Length),
            new KernelArguments(routerLogits, scores, routerLogits.IntLength));
    }

    /// <summary>A thread per element.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel(KernelArguments a)
    {
        for (int index = DeviceThread.Index; index < a.Count; index += DeviceThread.Count)
        {
            a.Scores[index] = Sigmoid.Apply(a.Logits[index]);
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Logits">[tokens, experts].</param>
    /// <param name="Scores">[tokens, experts], written; may be Logits.</param>
    /// <param name="Count">The elements.</param>
    internal readonly record struct KernelArguments(ArrayView<float> Logits, ArrayView<float> Scores, int Count);
}
