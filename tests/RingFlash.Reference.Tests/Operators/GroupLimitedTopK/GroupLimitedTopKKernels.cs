// Red here: a device sends a token to other experts, or weighs them otherwise, than the CPU.
using System;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 25)]
public sealed class GroupLimitedTopKKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    private static readonly float[] Ties =
        [0f, -0f, 0.5f, 0.5f, 0.25f, -1f, 1f, float.NaN, float.NegativeInfinity, float.PositiveInfinity];

    [Property]
    public void TheKernelsHaveTheChoiceOfVector512(
        int seed, byte tokens, byte groups, byte perGroup, byte chosenGroups, byte topK)
    {
        int groupCount = 1 + (groups % 9), members = 2 + (perGroup % 20), chosen = 1 + (chosenGroups % groupCount);
        RouterShape shape =
            new(groupCount * members, groupCount, chosen, 1 + (topK % Math.Min(12, members * chosen)), 2.5f);
        Compare(device.OneWarp, shape, tokens % 40, seed);
        Compare(device.TwoWarps, shape, tokens % 40, seed);
        Compare(device.Interpreted, shape, tokens % 5, seed);
    }

    [Theory]
    [InlineData(256, 8, 4, 8)]
    [InlineData(160, 40, 7, 40)]
    [InlineData(66, 33, 2, 4)]
    [InlineData(64, 1, 1, 64)]
    [InlineData(2, 1, 1, 1)]
    public void PublishedAndOddConfigurations(int experts, int groups, int chosenGroups, int topK)
    {
        RouterShape shape = new(experts, groups, chosenGroups, topK, 2.5f);
        Compare(device.OneWarp, shape, 9, experts);
        Compare(device.Interpreted, shape, 4, experts);
    }

    [Fact]
    public void TheFastKernelHasTheChoiceOfVector512() =>
        Compare(device.Fast, new RouterShape(32, 4, 2, 4, 2.5f), 2, 1);

    private static void Compare(KernelHost host, RouterShape shape, int tokens, int seed)
    {
        Random random = new(seed);
        for (int kind = 0; kind < 4; kind++)
        {
            // 0: ordinary, 1: negative sums, 2: many ties and both zeros, 3: with NaN and infinities.
            float[] scores = new float[tokens * shape.Experts], bias = new float[shape.Experts];
            for (int i = 0; i < scores.Length; i++)
            {
                scores[i] = kind < 2 ? random.NextSingle() : Ties[random.Next(kind == 2 ? 7 : Ties.Length)];
            }

            for (int e = 0; e < bias.Length; e++)
            {
                bias[e] = kind == 0 ? random.NextSingle() - 0.5f : kind == 1 ? -2f : Ties[random.Next(7)];
            }

            GroupLimitedTopKExamples.Decision expected =
                GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
            using DeviceMemory memory = new(host);
            ArrayView<int> indices = memory.Upload(new int[tokens * shape.TopK]);
            ArrayView<float> weights = memory.Fresh(indices.Length), margins = memory.Fresh(tokens);
            GroupLimitedTopK.Launch(
                host, shape, memory.Upload(scores), memory.Upload(bias), indices, weights, margins);
            string axes = $"{shape}, {tokens} tokens, kind {kind}, seed {seed}";
            Assert.True(expected.Indices.AsSpan().SequenceEqual(memory.Read(indices)), axes + ": experts");
            Check.SameBits(expected.Weights, memory.Read(weights), axes + ": weights");
            Check.SameBits(expected.Margins, memory.Read(margins), axes + ": margins");
        }
    }
}
