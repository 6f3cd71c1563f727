// Red here: the residual sum on a device has other bits than on the CPU.
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

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class ResidualAddKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfVector512(int seed, DoNotSize<ushort> length)
    {
        Compare<Float32Precision>(seed, length.Item % 700);
        Compare<BFloat16Precision>(seed, length.Item % 700);
    }

    private void Compare<TPrecision>(int seed, int length)
        where TPrecision : struct, IPrecision
    {
        float[] residual = TestValues.WithSpecials<TPrecision>(length, seed);
        float[] update = TestValues.WithSpecials<TPrecision>(length, ~seed), expected = new float[length];
        ResidualAdd.Apply<TPrecision>(ExecutionEngine.Vector512, residual, update, expected);
        foreach (KernelHost host in device.All)
        {
            ArrayView<float> first = CpuDevice.Bring(host, residual), second = CpuDevice.Bring(host, update);
            float[] actual = CpuDevice.Run(host, length, y => ResidualAdd.Launch<TPrecision>(host, first, second, y));
            Check.SameBits(expected, actual, $"{TPrecision.Name}, {length} elements");
        }
    }
}
