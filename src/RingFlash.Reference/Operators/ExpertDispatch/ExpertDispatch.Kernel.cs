using System;
using ILGPU;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>
/// On a device a warp owns an expert, a lane a run of tokens. A first walk counts the assignments of lower experts and
/// of this one; sums over the lanes say where the expert's list begins and where in it each lane writes; a second walk
/// writes. The order is that of the counting sort, without atomics, and nobody waits for the host.
/// </content>
public sealed partial class ExpertDispatch
{
    /// <summary>Sorts assignments by expert on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="topKIndices">[tokens, topK], experts, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">Experts.</param>
    /// <param name="rows">[tokens · topK], assignments sorted by expert, written.</param>
    /// <param name="tokens">[tokens · topK], the token of each, written.</param>
    /// <param name="offsets">[experts + 1], where each expert's list begins, written.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<int> topKIndices,
        int topK,
        int experts,
        ArrayView<int> rows,
        ArrayView<int> tokens,
        ArrayView<int> offsets)
    {
        ArgumentNullException.ThrowIfNull(host);
        LaunchGrid grid = new(Math.Min((experts + host.Warps - 1) / host.Warps, host.MostGroups));
        int tokenCount = (int)(topKIndices.Length / topK);
        host.Launch(
            Kernel, grid, new KernelArguments(topKIndices, rows, tokens, offsets, tokenCount, topK, experts));
    }

    /// <summary>A warp per expert.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel(KernelArguments a)
    {
        int lane = ILGPU.Group.IdxX, warps = ILGPU.Group.DimY; // the page's own Group is another
        int run = (a.TokenCount + KernelHost.Lanes - 1) >> 5;
        int first = lane * run, end = first + run < a.TokenCount ? first + run : a.TokenCount;
        for (int expert = (Grid.IdxX * warps) + ILGPU.Group.IdxY; expert < a.Experts; expert += Grid.DimX * warps)
        {
            int lower = 0, own = 0;
            for (int token = first; token < end; token++)
            {
                for (int k = 0; k < a.TopK; k++)
                {
                    int index = a.TopKIndices[(token * a.TopK) + k];
                    lower += index < expert ? 1 : 0;
                    own += index == expert ? 1 : 0;
                }
            }

            for (int distance = 16; distance > 0; distance >>= 1)
            {
                lower += Warp.ShuffleXor(lower, distance);
            }

            int upToHere = own; // of the lanes up to this one
            for (int distance = 1; distance < KernelHost.Lanes; distance <<= 1)
            {
                int before = Warp.ShuffleUp(upToHere, distance);
                upToHere += lane >= distance ? before : 0;
            }

            int place = lower + upToHere - own;
            for (int token = first; token < end; token++)
            {
                for (int k = 0; k < a.TopK; k++)
                {
                    int assignment = (token * a.TopK) + k;
                    if (a.TopKIndices[assignment] == expert)
                    {
                        a.Rows[place] = assignment;
                        a.Tokens[place] = token;
                        place++;
                    }
                }
            }

            if (lane == KernelHost.Lanes - 1)
            {
                a.Offsets[expert] = lower;
                if (expert == a.Experts - 1)
                {
                    a.Offsets[a.Experts] = lower + upToHere;
                }
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="TopKIndices">[tokens, topK].</param>
    /// <param name="Rows">[tokens · topK], written.</param>
    /// <param name="Tokens">[tokens · topK], written.</param>
    /// <param name="Offsets">[experts + 1], written.</param>
    /// <param name="TokenCount">Tokens.</param>
    /// <param name="TopK">Slots per token.</param>
    /// <param name="Experts">Experts.</param>
    internal readonly record struct KernelArguments(
        ArrayView<int> TopKIndices,
        ArrayView<int> Rows,
        ArrayView<int> Tokens,
        ArrayView<int> Offsets,
        int TokenCount,
        int TopK,
        int Experts);
}
