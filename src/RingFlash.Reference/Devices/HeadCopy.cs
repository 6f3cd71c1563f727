using System;
using ILGPU;

namespace RingFlash.Reference.Devices;

/// <summary>How heads lie in an array: element (sequence, head, token, d) at First + the three strides + d.</summary>
/// <param name="First">The first element.</param>
/// <param name="Sequence">From one sequence to the next.</param>
/// <param name="Head">From one head to the next.</param>
/// <param name="Token">From one token to the next.</param>
public readonly record struct HeadLayout(long First, long Sequence, long Head, long Token)
{
    /// <summary>Where a head of a token begins.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The head.</param>
    /// <param name="token">The token.</param>
    /// <returns>The element.</returns>
    public long At(int sequence, int head, int token) =>
        First + (sequence * Sequence) + (head * Head) + (token * Token);

    /// <summary>[batch, heads, capacity, headDim], from a token on.</summary>
    /// <param name="heads">Heads.</param>
    /// <param name="capacity">Tokens that there is room for.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="start">The first token.</param>
    /// <returns>The layout.</returns>
    public static HeadLayout Dense(int heads, int capacity, int headDim, int start = 0) =>
        new((long)start * headDim, (long)heads * capacity * headDim, (long)capacity * headDim, headDim);
}

/// <summary>Copies heads from one layout to another: to split the fused projection, to extend a cache.</summary>
/// <remarks>A group takes heads of tokens, its threads the channels of a head: neighbours read neighbours.</remarks>
public static class HeadCopy
{
    /// <summary>Copies.</summary>
    /// <param name="host">The device.</param>
    /// <param name="source">Read.</param>
    /// <param name="from">How heads lie in it.</param>
    /// <param name="destination">Written.</param>
    /// <param name="to">How heads lie in it.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="headDim">The width of a head.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<float> source,
        HeadLayout from,
        ArrayView<float> destination,
        HeadLayout to,
        int batch,
        int heads,
        int tokens,
        int headDim)
    {
        ArgumentNullException.ThrowIfNull(host);
        LaunchGrid grid = host.MostGroups == 1
            ? new LaunchGrid(1)
            : new LaunchGrid(Math.Min(tokens, host.MostGroups), Math.Min(heads, host.MostGroups));
        host.Launch(
            Kernel, grid, new KernelArguments(source, from, destination, to, batch, heads, tokens, headDim));
    }

    /// <summary>A group per head of a token.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel(KernelArguments a)
    {
        int thread = (Group.IdxY * KernelHost.Lanes) + Group.IdxX;
        for (int sequence = 0; sequence < a.Batch; sequence++)
        {
            for (int head = Grid.IdxY; head < a.Heads; head += Grid.DimY)
            {
                for (int token = Grid.IdxX; token < a.Tokens; token += Grid.DimX)
                {
                    long from = a.From.At(sequence, head, token), to = a.To.At(sequence, head, token);
                    for (int d = thread; d < a.HeadDim; d += Group.DimY * KernelHost.Lanes)
                    {
                        a.Destination[to + d] = a.Source[from + d];
                    }
                }
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Source">Read.</param>
    /// <param name="From">Its layout.</param>
    /// <param name="Destination">Written.</param>
    /// <param name="To">Its layout.</param>
    /// <param name="Batch">Sequences.</param>
    /// <param name="Heads">Heads.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="HeadDim">The width of a head.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Source,
        HeadLayout From,
        ArrayView<float> Destination,
        HeadLayout To,
        int Batch,
        int Heads,
        int Tokens,
        int HeadDim);
}
