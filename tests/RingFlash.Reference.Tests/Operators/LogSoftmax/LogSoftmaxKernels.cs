// Red here: log-probabilities on a device have other bits than on the CPU.
using System;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class LogSoftmaxKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelsHaveTheBitsOfVector512(int seed, byte rows, ushort vocabulary, bool specials)
    {
        Compare(device.OneWarp, seed, rows % 40, 1 + (vocabulary % 500), specials);
        Compare(device.TwoWarps, seed, rows % 40, 1 + (vocabulary % 500), specials);
    }

    [Property]
    public void ThePtxOfTheFastKernelsHasTheBitsOfVector512(int seed, byte rows, ushort vocabulary, bool specials)
    {
        Compare(device.Interpreted, seed, rows % 9, 4 * (1 + (vocabulary % 200)), specials);
        Compare(device.Interpreted, seed, rows % 9, 1 + (vocabulary % 50), specials);
    }

    [Property(MaxTest = 4)]
    public void TheFastKernelsHaveTheBitsOfVector512(int seed, ushort vocabulary, bool specials) =>
        Compare(device.Fast, seed, 3, 4 * (1 + (vocabulary % 200)), specials);

    internal static float[] Logits(int length, int seed, bool specials) => specials
        ? TestValues.WithSpecials<Float32Precision>(length, seed)
        : TestValues.Spread(length, seed);

    private static void Compare(KernelHost host, int seed, int rows, int vocabulary, bool specials)
    {
        float[] logits = Logits(rows * vocabulary, seed, specials), expected = new float[logits.Length];
        for (int row = 0; row < rows; row++)
        {
            LogSoftmax.Apply(
                ExecutionEngine.Vector512,
                logits.AsSpan(row * vocabulary, vocabulary),
                expected.AsSpan(row * vocabulary, vocabulary));
        }

        using DeviceMemory memory = new(host);
        ArrayView<float> inPlace = memory.Upload(logits);
        LogSoftmax.Launch(host, inPlace, memory.Fresh(rows), memory.Fresh(rows), inPlace);
        Check.SameBits(expected, memory.Read(inPlace), $"{rows} rows of {vocabulary}");
    }
}
