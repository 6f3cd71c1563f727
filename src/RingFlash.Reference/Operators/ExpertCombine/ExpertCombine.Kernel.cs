using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// One kernel: groups take tokens, the threads of a group neighbouring channels; a thread adds its channel's topK terms
/// in the router's order. The sum starts from a +0 that the loop carries: written as a first term it would be folded
/// away, and +0 + −0 with it.
/// </content>
public static partial class ExpertCombine
{
    /// <summary>Combines on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float32, read.</param>
    /// <param name="topKWeights">[tokens, topK], float32, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="y">[tokens, hidden], float32, written.</param>
    public static void Launch<TPrecision>(
        KernelHost host,
        ArrayView<float> expertOutputs,
        ArrayView<float> topKWeights,
        int topK,
        ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        int tokens = (int)(topKWeights.Length / topK), hidden = tokens == 0 ? 0 : (int)(y.Length / tokens);
        host.Launch(
            Kernel<TPrecision>,
            new LaunchGrid(Math.Min(tokens, host.MostGroups)),
            new KernelArguments(expertOutputs, topKWeights, y, tokens, topK, hidden));
    }

    /// <summary>A group per token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        int thread = (Group.IdxY * KernelHost.Lanes) + Group.IdxX;
        for (int token = Grid.IdxX; token < a.Tokens; token += Grid.DimX)
        {
            for (int h = thread; h < a.Hidden; h += Group.DimY * KernelHost.Lanes)
            {
                float sum = 0f;
                for (int k = 0; k < a.TopK; k++)
                {
                    long slot = ((long)token * a.TopK) + k;
                    sum += a.TopKWeights[slot] * a.ExpertOutputs[(slot * a.Hidden) + h];
                }

                a.Y[((long)token * a.Hidden) + h] = TPrecision.Round(sum);
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="ExpertOutputs">[tokens, topK, hidden].</param>
    /// <param name="TopKWeights">[tokens, topK].</param>
    /// <param name="Y">[tokens, hidden], written.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="TopK">Slots per token.</param>
    /// <param name="Hidden">Channels.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> ExpertOutputs,
        ArrayView<float> TopKWeights,
        ArrayView<float> Y,
        int Tokens,
        int TopK,
        int Hidden);
}
