// Red here: the loss of a batch on a device has other bits than on the CPU.
using System;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 10)]
public sealed class CrossEntropyKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfVector512(int seed, byte positions, byte vocabulary, byte kind)
    {
        int rows = positions % 120, width = 1 + (vocabulary % 40);
        float[] logits = LogSoftmaxKernels.Logits(rows * width, seed, rows < 4 ? kind : (byte)(1 + (kind % 2)));
        long[] targets = new long[rows];
        Random random = new(seed);
        for (int row = 0; row < rows; row++)
        {
            targets[row] = random.Next(3) == 0 ? CrossEntropy.IgnoreIndex : random.Next(width);
        }

        float expected = CrossEntropy.Apply(ExecutionEngine.Vector512, logits, targets);
        foreach (KernelHost host in new[] { device.OneWarp, device.TwoWarps, device.Interpreted })
        {
            using DeviceMemory memory = new(host);
            ArrayView<float> loss = memory.Fresh(1);
            CrossEntropy.Launch(
                host, memory.Upload(logits), memory.Upload(targets), memory.Fresh(rows), memory.Fresh(rows), loss);
            Check.SameBits([expected], memory.Read(loss), $"{rows} positions of {width}");
        }
    }
}
