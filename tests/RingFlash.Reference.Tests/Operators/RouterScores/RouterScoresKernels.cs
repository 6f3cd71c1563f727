// Red here: router scores on a device have other bits than on the CPU.
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class RouterScoresKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfVector512(int seed, byte count)
    {
        float[] logits = TestValues.WithSpecials<Float32Precision>(5 * count, seed);
        float[] expected = new float[logits.Length];
        RouterScores.Apply(ExecutionEngine.Vector512, logits, expected);
        foreach (KernelHost host in new[] { device.OneWarp, device.TwoWarps, device.Interpreted })
        {
            using DeviceMemory memory = new(host);
            ArrayView<float> scores = memory.Fresh(logits.Length);
            RouterScores.Launch(host, memory.Upload(logits), scores);
            Check.SameBits(expected, memory.Read(scores), $"{logits.Length} logits");
        }
    }
}
