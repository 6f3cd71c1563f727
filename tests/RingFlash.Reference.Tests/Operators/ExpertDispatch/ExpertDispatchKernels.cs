// Red here: a device sorts assignments otherwise than the CPU.
using System;
using System.Linq;
using FsCheck.Xunit;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 10)]
public sealed class ExpertDispatchKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelSortsAsTheCountingSortDoes(int seed, byte rows, byte slots, byte count)
    {
        int tokens = 1 + (rows % 100), topK = 1 + (slots % 4), experts = 4 + (count % 9);
        int[] indices = [.. Enumerable.Range(0, tokens).SelectMany(token =>
        {
            int[] shuffled = TestValues.Permutation(experts, seed + token);
            return shuffled.Where(expert => expert != seed % experts).Take(topK - 1).Append(shuffled[0]).Take(topK);
        })];
        ExpertDispatch expected = ExpertDispatch.Group(indices, topK, experts);
        foreach (KernelHost host in new[] { device.OneWarp, device.Interpreted })
        {
            int[] sorted = new int[tokens * topK], owners = new int[tokens * topK], offsets = new int[experts + 1];
            ArrayView<int> rowView = CpuDevice.Bring(host, sorted), tokenView = CpuDevice.Bring(host, owners);
            ArrayView<int> offsetView = CpuDevice.Bring(host, offsets);
            ExpertDispatch.Launch(
                host, CpuDevice.Bring(host, indices), topK, experts, rowView, tokenView, offsetView);
            host.Synchronize();
            rowView.Fetch(sorted);
            tokenView.Fetch(owners);
            offsetView.Fetch(offsets);
            Assert.Equal(expected.Rows.ToArray(), sorted);
            Assert.Equal(sorted.Select(row => row / topK), owners);
            for (int active = 0; active < expected.ActiveExperts.Length; active++)
            {
                int expert = expected.ActiveExperts[active];
                Assert.Equal(expected.Offsets[active], offsets[expert]);
                Assert.Equal(expected.Offsets[active + 1], offsets[expert + 1]);
            }
        }
    }
}
