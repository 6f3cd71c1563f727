using System;
using ILGPU;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>
/// The mean of the losses on a device, after <see cref="LogSoftmax.LaunchNormaliser"/>: one warp walks over all
/// positions, and lane s adds the losses whose number among the counted ones is s (mod 32). Every lane counts for
/// itself, from loads that the warp shares; beside the logits, a hundred thousand numbers per position, that is
/// nothing.
/// </content>
public static partial class CrossEntropy
{
    /// <summary>The mean loss on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="logits">[positions, vocabulary], float32, read.</param>
    /// <param name="targets">[positions], read.</param>
    /// <param name="maxima">[positions], float32, written.</param>
    /// <param name="sums">[positions], float32, written.</param>
    /// <param name="loss">[1], float32, written; NaN without a target, or with one outside the vocabulary.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<float> logits,
        ArrayView<long> targets,
        ArrayView<float> maxima,
        ArrayView<float> sums,
        ArrayView<float> loss)
    {
        ArgumentNullException.ThrowIfNull(host);
        LogSoftmax.LaunchNormaliser(host, logits, 1f, maxima, sums);
        int rows = targets.IntLength, vocabulary = rows == 0 ? 0 : (int)(logits.Length / rows);
        host.Launch(
            Kernel,
            new LaunchGrid(1),
            new TokenLogProbability.KernelArguments(
                logits, targets, maxima, sums, loss, rows, vocabulary, 1f));
    }

    /// <summary>One warp.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel(TokenLogProbability.KernelArguments a)
    {
        int counted = 0;
        float stripe = 0f;
        for (int row = 0; row < a.Rows; row++)
        {
            if (a.Tokens[row] != IgnoreIndex)
            {
                if ((counted & (StripeSums.Count - 1)) == Group.IdxX)
                {
                    stripe += -TokenLogProbability.Of(a, row);
                }

                counted++;
            }
        }

        float sum = StripeSums.HalveAcrossLanes(stripe);
        if (DeviceThread.Index == 0)
        {
            a.Y[0] = sum / counted;
        }
    }
}
