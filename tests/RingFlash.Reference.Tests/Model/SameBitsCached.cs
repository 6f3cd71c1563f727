// Red means: a prompt cut into chunks, or decoded token by token with the cache, gives other bits than the whole.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class SameBitsCached
{
    // Two blocks of 128 keys and a rest, and eight stripes of 32 and a rest.
    private const int Tokens = 270;

    private static readonly (string Key, object? Value)[] Small =
    [
        ("hidden_size", 36), ("num_attention_heads", 4), ("num_key_value_heads", 2), ("head_dim", 12),
        ("intermediate_size", 40), ("moe_intermediate_size", 17), ("vocab_size", 61),
    ];

    [Theory]
    [InlineData(1, false)]
    [InlineData(7, false)]
    [InlineData(32, false)]
    [InlineData(127, false)]
    [InlineData(128, false)]
    [InlineData(129, false)]
    [InlineData(269, false)]
    [InlineData(1, true)]
    [InlineData(100, true)]
    public void Whole_prefill_equals_chunks(int chunk, bool bfloat16)
    {
        ModelConfiguration configuration = TinyModels.Read(Small);
        ModelWeights weights = TinyModels.Weights(configuration, bfloat16: bfloat16);
        using WorkerPool workers = new(1);
        ForwardOperators<float> operators = bfloat16
            ? new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
            : new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
        RingFlashModel<float> model = new(configuration, weights, operators);
        long[] ids = TinyModels.Ids(configuration, Tokens);
        KeyValueCache<float> wholeCache = new(configuration, 1, Tokens);
        ForwardResult<float> uncached = model.Forward(new ForwardInput(ids, 1)).Kept();
        ForwardResult<float> whole = model.Forward(new ForwardInput(ids, 1), wholeCache).Kept();
        Runs.AssertSameBits("logits without cache", uncached.Logits.Values, whole.Logits.Values);
        Runs.AssertSameBits("mtp without cache", uncached.MultiTokenLogits!.Values, whole.MultiTokenLogits!.Values);

        // Another capacity moves every head in memory and must not move a bit.
        KeyValueCache<float> cache = new(configuration, 1, Tokens + 13);
        List<float> logits = [], hidden = [];
        int calls = 0;
        for (int start = 0; start < Tokens; start += chunk)
        {
            long[] piece = ids[start..Math.Min(start + chunk, Tokens)];
            Assert.Equal(start, cache.Length);
            ForwardResult<float> result = model.Forward(new ForwardInput(piece, 1), cache);
            logits.AddRange(result.Logits.Values);
            hidden.AddRange(result.HiddenStates.Values);
            if (calls++ == 0)
            {
                AssertFirstMultiTokenChunk(whole.MultiTokenLogits, result.MultiTokenLogits!, piece.Length, Tokens);
            }
        }

        Assert.Equal((Tokens + chunk - 1) / chunk, calls);
        Runs.AssertSameBits("hidden", whole.HiddenStates.Values, hidden.ToArray());
        Runs.AssertSameBits("logits", whole.Logits.Values, logits.ToArray());
        AssertSameCache(configuration, wholeCache, cache, Tokens);
    }

    [Fact]
    public void Left_padded_chunks_equal_the_left_padded_whole()
    {
        int[] lengths = [150, 137, 9];
        ModelConfiguration configuration = TinyModels.Read([.. Small, ("num_nextn_predict_layers", 0)]);
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput input = PaddedInputs.Of(configuration, lengths);
        ForwardResult<float> whole = model.Forward(input).Kept();
        foreach (int chunk in new[] { 1, 40, 128 })
        {
            KeyValueCache<float> cache = new(configuration, lengths.Length, 150);
            for (int start = 0; start < 150; start += chunk)
            {
                int end = Math.Min(start + chunk, 150);
                ForwardInput piece = new(Columns(input.Ids, start, end), lengths.Length)
                {
                    Positions = Columns(input.Positions!, start, end),
                    AttentionMask = Columns(input.AttentionMask!, 0, end),
                };
                ForwardResult<float> result = model.Forward(piece, cache);
                for (int row = 0; row < lengths.Length; row++)
                {
                    for (int t = Math.Max(start, 150 - lengths[row]); t < end; t++)
                    {
                        Runs.AssertSameBits(
                            $"chunk {chunk} row {row} token {t}",
                            whole.Logits.Row((row * 150) + t),
                            result.Logits.Row((row * (end - start)) + t - start));
                    }
                }
            }
        }

        long[] Columns(long[] values, int start, int end) =>
            [.. Enumerable.Range(0, lengths.Length)
                .SelectMany(row => values[((row * 150) + start)..((row * 150) + end)])];
    }

    [Fact]
    public void Truncating_forgets_completely()
    {
        ModelConfiguration configuration = TinyModels.Read(Small);
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        long[] prompt = TinyModels.Ids(configuration, 140), next = TinyModels.Ids(configuration, 9, 6);
        long[] rejected = TinyModels.Ids(configuration, 20, 7);
        KeyValueCache<float> clean = new(configuration, 1, 200), used = new(configuration, 1, 200);
        model.Forward(new ForwardInput(prompt, 1), clean);
        ForwardResult<float> expected = model.Forward(new ForwardInput(next, 1), clean).Kept();

        model.Forward(new ForwardInput(prompt, 1), used);
        ForwardResult<float> other = model.Forward(new ForwardInput(rejected, 1), used).Kept();
        Assert.Equal(160, used.Length);
        used.Truncate(140);
        Assert.Equal((140, 140), (used.Length, used.LengthOf(configuration.LayerCount)));
        ForwardResult<float> actual = model.Forward(new ForwardInput(next, 1), used);
        Assert.NotEqual(other.Logits.Values[..61], actual.Logits.Values[..61]);
        Runs.AssertSameBits("logits", expected.Logits.Values, actual.Logits.Values);
        Runs.AssertSameBits("mtp", expected.MultiTokenLogits!.Values, actual.MultiTokenLogits!.Values);
        AssertSameCache(configuration, clean, used, 149);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_last_logits_alone_equal_the_last_row_of_all(bool cached)
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput input = new(TinyModels.Ids(configuration, 3 * 9), 3);
        KeyValueCache<float>? Cache() => cached ? new KeyValueCache<float>(configuration, 3, 12) : null;
        HostTensor<float> all = model.Forward(input, Cache()).Kept().Logits;
        HostTensor<float> last = model.Forward(input with { LastLogitsOnly = true }, Cache()).Logits;
        Assert.Equal("[3, 1, 203]", last.ToString());
        for (int row = 0; row < 3; row++)
        {
            Runs.AssertSameBits($"row {row}", all.Row((row * 9) + 8), last.Row(row));
        }
    }

    /// <summary>
    /// The MTP layer of a chunk sees token 0 after the chunk's last token, as published, and keeps that in its own
    /// cache slot. So only the first chunk up to its last position equals the whole; its last position must not.
    /// </summary>
    private static void AssertFirstMultiTokenChunk(
        HostTensor<float> whole, HostTensor<float> chunk, int length, int tokens)
    {
        for (int t = 0; t < length - 1; t++)
        {
            Runs.AssertSameBits($"mtp {t}", whole.Row(t), chunk.Row(t));
        }

        Assert.Equal(length == tokens, whole.Row(length - 1).SequenceEqual(chunk.Row(length - 1)));
    }

    private static void AssertSameCache(
        ModelConfiguration configuration, KeyValueCache<float> expected, KeyValueCache<float> actual, int tokens)
    {
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            Assert.Equal((tokens, tokens), (expected.LengthOf(layer), actual.LengthOf(layer)));
            for (int head = 0; head < configuration.KeyValueHeadCount; head++)
            {
                int size = tokens * configuration.HeadDimension;
                int left = head * expected.Capacity * configuration.HeadDimension;
                int right = head * actual.Capacity * configuration.HeadDimension;
                Runs.AssertSameBits(
                    $"keys of layer {layer}",
                    expected.Keys(layer).Values.AsSpan(left, size),
                    actual.Keys(layer).Values.AsSpan(right, size));
                Runs.AssertSameBits(
                    $"values of layer {layer}",
                    expected.Values(layer).Values.AsSpan(left, size),
                    actual.Values(layer).Values.AsSpan(right, size));
            }
        }
    }
}
