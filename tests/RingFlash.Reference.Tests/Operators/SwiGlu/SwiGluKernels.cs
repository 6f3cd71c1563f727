// Red here: the gated activation on a device has other bits than on the CPU.
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
public sealed class SwiGluKernels(CpuDevice device) : IClassFixture<CpuDevice>
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
        float[] gate = TestValues.WithSpecials<TPrecision>(length, seed);
        float[] up = TestValues.WithSpecials<TPrecision>(length, ~seed), expected = new float[length];
        SwiGlu.Apply<TPrecision>(ExecutionEngine.Vector512, gate, up, expected);
        foreach (KernelHost host in device.All)
        {
            ArrayView<float> gates = CpuDevice.Bring(host, gate), ups = CpuDevice.Bring(host, up);
            float[] actual = CpuDevice.Run(host, length, y => SwiGlu.Launch<TPrecision>(host, gates, ups, y));
            Check.SameBits(expected, actual, $"{TPrecision.Name}, {length} elements");
        }
    }
}
