// Red here: a softmax on a device has other bits than on the CPU.
using System;
using FsCheck;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 15)]
public sealed class SoftmaxKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelHasTheBitsOfVector512(int seed, byte rows, DoNotSize<ushort> keys, bool masked, byte kind)
    {
        Compare<Float32Precision>(device.OneWarp, seed, 1 + (rows % 40), 1 + (keys.Item % 300), masked, kind);
        Compare<BFloat16Precision>(device.TwoWarps, seed, 1 + (rows % 40), 1 + (keys.Item % 300), masked, kind);
    }

    [Property]
    public void ThePtxOfTheFastKernelHasTheBitsOfVector512(
        int seed, byte rows, DoNotSize<ushort> keys, bool masked, byte kind)
    {
        Compare<Float32Precision>(device.Interpreted, seed, 1 + (rows % 5), 1 + (keys.Item % 1300), masked, kind);
        Compare<BFloat16Precision>(device.Interpreted, seed, 1 + (rows % 5), 1 + (keys.Item % 1300), masked, kind);
    }

    [Property(MaxTest = 3)]
    public void TheFastKernelHasTheBitsOfVector512(int seed, DoNotSize<ushort> keys, bool masked) =>
        Compare<Float32Precision>(device.Fast, seed, 2, 1 + (keys.Item % 1300), masked, kind: 2);

    private static void Compare<TPrecision>(
        KernelHost host, int seed, int rows, int keys, bool masked, byte kind)
        where TPrecision : struct, IPrecision
    {
        int length = rows * keys;
        float[] scores = Array.ConvertAll(
            LogSoftmaxKernels.Logits(length, seed, kind), value => TPrecision.Round(value));
        byte[] visible = new byte[masked ? length : 0];
        Random random = new(seed);
        for (int i = 0; i < visible.Length; i++)
        {
            visible[i] = (byte)(i / keys % 4 == 3 ? 0 : random.Next(2)); // some rows see nothing
        }

        float[] expected = new float[length];
        for (int row = 0; row < rows; row++)
        {
            Softmax.Vectorised<TPrecision>(
                scores.AsSpan(row * keys, keys),
                masked ? visible.AsSpan(row * keys, keys) : [],
                expected.AsSpan(row * keys, keys));
        }

        using DeviceMemory memory = new(host);
        ArrayView<float> weights = memory.Upload(scores); // in place
        Softmax.Launch<TPrecision>(host, weights, keys, memory.Upload(visible), weights);
        Check.SameBits(expected, memory.Read(weights), $"{TPrecision.Name}, {rows} rows of {keys}, masked {masked}");
    }
}
