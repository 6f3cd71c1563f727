using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// One kernel, with the bits of <see cref="Scalar"/>: a warp owns a head of a token, its lanes stride over the pairs
/// (d, d + R/2) and then over the channels that pass through. A lane writes what it reads the partner of, so the warp
/// loads and stores whole lines, and nothing is read twice; there is nothing left for a second version to gain.
/// Cosines and sines come from the host, because no device function has their bits.
/// </content>
public static partial class RotaryEmbedding
{
    /// <summary>Rotates on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="tokens">The number of tokens.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="cosine">[batch, tokens, R], float32, read.</param>
    /// <param name="sine">[batch, tokens, R], float32, read.</param>
    /// <param name="rotaryDim">R, even, at most headDim.</param>
    /// <param name="y">[batch, heads, tokens, headDim], float32, written; not x.</param>
    public static void Launch<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        int heads,
        int tokens,
        int headDim,
        ArrayView<float> cosine,
        ArrayView<float> sine,
        int rotaryDim,
        ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        int batch = (int)(x.Length / ((long)heads * tokens * headDim));
        KernelArguments arguments = new(x, cosine, sine, y, batch, heads, tokens, headDim, rotaryDim);
        LaunchGrid grid = host.GridFor((long)tokens * KernelHost.Lanes) with
        {
            Y = Math.Min(heads, host.MostGroups),
            Z = Math.Min(batch, host.MostGroups),
        };
        host.Launch(Kernel<TPrecision>, grid, arguments);
    }

    /// <summary>A warp per head of a token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        int half = a.RotaryDim >> 1;
        for (int sequence = Grid.IdxZ; sequence < a.Batch; sequence += Grid.DimZ)
        {
            for (int head = Grid.IdxY; head < a.Heads; head += Grid.DimY)
            {
                for (int token = DeviceThread.Warp; token < a.Tokens; token += DeviceThread.WarpCount)
                {
                    long row = ((((long)sequence * a.Heads) + head) * a.Tokens) + token;
                    long start = row * a.HeadDim, end = start + a.RotaryDim;
                    long angle = ((((long)sequence * a.Tokens) + token) * a.RotaryDim) + Group.IdxX;
                    for (long d = start + Group.IdxX; d < start + half; d += KernelHost.Lanes)
                    {
                        float first = a.X[d], second = a.X[d + half];
                        a.Y[d] = TPrecision.Round(
                            TPrecision.Round(first * a.Cosine[angle])
                            + TPrecision.Round(-second * a.Sine[angle]));
                        a.Y[d + half] = TPrecision.Round(
                            TPrecision.Round(second * a.Cosine[angle + half])
                            + TPrecision.Round(first * a.Sine[angle + half]));
                        angle += KernelHost.Lanes;
                    }

                    for (long d = end + Group.IdxX; d < start + a.HeadDim; d += KernelHost.Lanes)
                    {
                        a.Y[d] = a.X[d];
                    }
                }
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="X">[batch, heads, tokens, headDim].</param>
    /// <param name="Cosine">[batch, tokens, R].</param>
    /// <param name="Sine">[batch, tokens, R].</param>
    /// <param name="Y">[batch, heads, tokens, headDim], written; not X.</param>
    /// <param name="Batch">Sequences.</param>
    /// <param name="Heads">Heads.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="HeadDim">The width of a head.</param>
    /// <param name="RotaryDim">R.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> X,
        ArrayView<float> Cosine,
        ArrayView<float> Sine,
        ArrayView<float> Y,
        int Batch,
        int Heads,
        int Tokens,
        int HeadDim,
        int RotaryDim);
}
