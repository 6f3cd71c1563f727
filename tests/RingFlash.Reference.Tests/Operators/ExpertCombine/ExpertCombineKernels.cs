// Red here: the weighted sum of the experts on a device has other bits than on the CPU.
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
public sealed class ExpertCombineKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfVector512(int seed, byte tokens, byte topK, DoNotSize<ushort> hidden)
    {
        Compare<Float32Precision>(seed, tokens % 6, 1 + (topK % 9), 1 + (hidden.Item % 200));
        Compare<BFloat16Precision>(seed, tokens % 6, 1 + (topK % 9), 1 + (hidden.Item % 200));
    }

    private void Compare<TPrecision>(int seed, int tokens, int topK, int hidden)
        where TPrecision : struct, IPrecision
    {
        // Many zeros of both signs: a sum that does not start from +0 would show.
        float[] outputs = TestValues.WithSpecials<TPrecision>(tokens * topK * hidden, seed);
        float[] weights = TestValues.Spread(tokens * topK, ~seed), expected = new float[tokens * hidden];
        for (int index = 0; index < outputs.Length; index += 3)
        {
            outputs[index] = index % 2 == 0 ? -0f : 0f;
        }

        ExpertCombine.Apply<TPrecision>(ExecutionEngine.Vector512, outputs, weights, topK, expected);
        foreach (KernelHost host in device.All)
        {
            ArrayView<float> parts = CpuDevice.Bring(host, outputs), factors = CpuDevice.Bring(host, weights);
            float[] actual = CpuDevice.Run(
                host, expected.Length, y => ExpertCombine.Launch<TPrecision>(host, parts, factors, topK, y));
            Check.SameBits(expected, actual, $"{TPrecision.Name}, {tokens} × {topK} × {hidden}");
        }
    }
}
