// Red here: attention on a device has other bits than on the CPU, in prefill, in decoding or under a mask.
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
public sealed class CausalAttentionKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelsHaveTheBitsOfVector512(
        int seed, byte group, byte heads, byte tokens, DoNotSize<ushort> past, byte headDim, byte mask, bool weights)
    {
        int keyValueHeads = 1 + (heads % 2), queries = 1 + (tokens % 7), before = past.Item % 150;
        AttentionShape shape = new(
            1 + (seed & 1),
            keyValueHeads * (1 + (group % 9)),
            keyValueHeads,
            queries,
            before,
            1 + (headDim % 40),
            before + queries + 3);
        Compare<Float32Precision>(device.OneWarp, shape, (Mask)(mask % 4), seed, weights);
        Compare<BFloat16Precision>(device.TwoWarps, shape, (Mask)(mask % 4), seed, weights);
    }

    [Property]
    public void ThePtxOfTheFastKernelsHasTheBitsOfVector512(
        int seed, byte group, byte tokens, DoNotSize<ushort> past, byte headDim, byte mask, bool weights)
    {
        int queries = 1 + (tokens % 4), before = past.Item % 290;
        AttentionShape shape = new(
            1 + (seed & 1), 1 + (group % 9), 1, queries, before, 4 * (1 + (headDim % 5)), before + queries + 3);
        Compare<BFloat16Precision>(device.Interpreted, shape, (Mask)(mask % 4), seed, weights);
    }

    [Theory]
    [InlineData(1, 32, 4, 1, 140, 128)]
    [InlineData(1, 2, 1, 1, 1500, 4)]
    [InlineData(1, 2, 1, 2, 2047, 4)]
    [InlineData(1, 1, 1, 1, 4300, 4)]
    [InlineData(2, 3, 3, 3, 0, 136)]
    [InlineData(1, 12, 1, 2, 1, 144)]
    [InlineData(1, 4, 2, 2, 130, 18)]
    public void PublishedAndOddShapesInPtx(
        int batch, int heads, int keyValueHeads, int tokens, int past, int headDim)
    {
        AttentionShape shape = new(batch, heads, keyValueHeads, tokens, past, headDim, past + tokens + 1);
        Compare<Float32Precision>(device.Interpreted, shape, Mask.None, past, wantWeights: false);
        Compare<BFloat16Precision>(device.Interpreted, shape, Mask.Holes, past, wantWeights: true);
    }

    /// <summary>One group of the published model decodes behind a context as long as it was trained on.</summary>
    [Fact]
    public void BehindAContextOf32768Positions() => BehindALongContext(32_768);

    /// <summary>And as long as YaRN allows; close to a minute, so not in the ordinary run.</summary>
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void BehindAContextOf131072Positions() => BehindALongContext(131_072);

    private void BehindALongContext(int positions)
    {
        AttentionShape published = new(1, 8, 1, 1, positions - 1, 128, positions);
        Compare<Float32Precision>(device.OneWarp, published, Mask.None, positions, wantWeights: false);

        // In PTX with narrow heads: how long a row is decides which kernels run and what their indices reach.
        AttentionShape narrow = published with { Heads = 2, HeadDim = 4 };
        Compare<BFloat16Precision>(device.Interpreted, narrow, Mask.Holes, positions, wantWeights: false);
    }

    [Theory]
    [InlineData(3, 20, 0)]
    [InlineData(1, 20, 300)]
    [InlineData(1, 20, 2100)]
    public void ScoresThatAreFarApartInfiniteOrNoNumbers(int tokens, int headDim, int past)
    {
        AttentionShape shape = new(1, 3, 1, tokens, past, headDim, past + tokens);
        AttentionCase attention = AttentionCase.Create<Float32Precision>(shape, Mask.Left, 3);
        attention.Visible.AsSpan(Math.Min(2, past)).Fill(1);
        float[] extremes = [0f, -0f, 60f, -60f, 3e38f, float.NegativeInfinity, float.PositiveInfinity, float.NaN];
        for (int kinds = 2; kinds <= extremes.Length; kinds++)
        {
            for (int key = 0; key < shape.KeyTokens; key += 7)
            {
                attention.Keys.AsSpan(key * headDim, headDim).Fill((key % 3) - 1f);
                attention.Keys[key * headDim] = extremes[key / 7 % kinds];
                attention.Values[key * headDim] = extremes[((key / 7) + 1) % kinds];
            }

            Compare<Float32Precision>(device.OneWarp, attention, wantWeights: true, $"{shape}, {kinds} kinds");
            Compare<Float32Precision>(device.Interpreted, attention, wantWeights: true, $"{shape}, {kinds} kinds");
        }
    }

    [Fact]
    public void TheFastKernelsHaveTheBitsOfVector512() => Compare<Float32Precision>(
        device.Fast, new AttentionShape(1, 3, 1, 1, 140, 8, 150), Mask.Holes, 5, wantWeights: true);

    [Fact]
    public void ManyWarpsWalkOverTheirBlocksAndGiveTheSame()
    {
        // With enough rows the blocks are not shared out. The kernel of that path alone, after the others.
        AttentionShape shape = new(1, 9, 1, 2, 270, 12, 280);
        AttentionCase attention = AttentionCase.Create<BFloat16Precision>(shape, Mask.Left, 3);
        attention.Visible.AsSpan(40).Fill(1);
        (float[] expected, _) = attention.Run<BFloat16Precision>(ExecutionEngine.Vector512);
        foreach (KernelHost host in new[] { device.OneWarp, device.Interpreted })
        {
            using DeviceMemory memory = new(host);
            ArrayView<float> values = memory.Upload(attention.Values), context = memory.Fresh(expected.Length);
            ArrayView<float> scores = memory.Fresh(shape.Heads * shape.QueryTokens * shape.KeyTokens);
            ArrayView<float> scratch = memory.Fresh(CausalAttention.ScratchLength(shape, shape.QueryTokens));
            CausalAttention.Launch<BFloat16Precision>(
                host,
                shape,
                memory.Upload(attention.Query),
                memory.Upload(attention.Keys),
                values,
                memory.Upload(attention.Visible),
                memory.Fresh(expected.Length),
                scores,
                scratch);
            host.Launch(
                CausalAttention.FastContextsKernel<BFloat16Precision>,
                new LaunchGrid(1),
                new CausalAttention.KernelArguments
                {
                    Values = values,
                    Visible = memory.Upload(attention.Visible),
                    FirstVisible = scratch.SubView(0, 1).Cast<int>(),
                    Context = context,
                    Scores = scores,
                    Shape = shape,
                    Group = shape.Heads,
                    Tokens = shape.QueryTokens,
                    RowsOfAHead = shape.QueryTokens,
                });
            Check.SameBits(expected, memory.Read(context), $"{shape}");
        }
    }

    [Fact]
    public void ScratchThatIsTooSmallIsRefused()
    {
        AttentionShape shape = new(1, 1, 1, 1, 0, 4, 1);
        using DeviceMemory memory = new(device.OneWarp);
        ArrayView<float> four = memory.Fresh(4);
        Assert.Throws<ArgumentException>(() => CausalAttention.Launch<Float32Precision>(
            device.OneWarp, shape, four, four, four, memory.Upload<byte>([]), four, four.SubView(0, 0), four));
    }

    private static void Compare<TPrecision>(
        KernelHost host, AttentionShape shape, Mask mask, int seed, bool wantWeights)
        where TPrecision : struct, IPrecision
    {
        Compare<TPrecision>(
            host,
            AttentionCase.Create<TPrecision>(shape, mask, seed),
            wantWeights,
            $"{TPrecision.Name}, {shape}, {mask}, seed {seed}, weights {wantWeights}");
    }

    private static void Compare<TPrecision>(
        KernelHost host, AttentionCase attention, bool wantWeights, string axes)
        where TPrecision : struct, IPrecision
    {
        AttentionShape shape = attention.Shape;
        (float[] context, float[] weights) =
            attention.Run<TPrecision>(ExecutionEngine.Vector512, wantWeights: wantWeights);
        using DeviceMemory memory = new(host);
        ArrayView<float> actual = memory.Fresh(context.Length), actualWeights = memory.Fresh(weights.Length);
        ArrayView<float> scratch = memory.Fresh(CausalAttention.ScratchLength(shape, 1 + (shape.QueryTokens / 2)));
        CausalAttention.Launch<TPrecision>(
            host,
            shape,
            memory.Upload(attention.Query),
            memory.Upload(attention.Keys),
            memory.Upload(attention.Values),
            memory.Upload(attention.Visible),
            actual,
            actualWeights,
            scratch);
        Check.SameBits(context, memory.Read(actual), axes);
        Check.SameBits(weights, memory.Read(actualWeights), axes + ", weights");
    }
}
