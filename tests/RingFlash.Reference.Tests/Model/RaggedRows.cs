// Red means: rows of several sequences in one pass get other bits than alone, or a growing cache moves them.
using System;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class RaggedRows
{
    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    [InlineData("fp8")]
    public void Rows_of_several_sequences_equal_each_alone(string precision)
    {
        bool bfloat16 = precision != "float32";
        ModelConfiguration configuration = precision == "fp8"
            ? TinyModels.Read(("quantization_config", TinyModels.Float8Blocks))
            : TinyModels.Read();
        using WorkerPool workers = new(2);
        ForwardOperators<float> operators = bfloat16
            ? new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers, precision == "fp8")
            : new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
        RingFlashModel<float> model = new(
            configuration, TinyModels.Weights(configuration, bfloat16: bfloat16), operators);
        int[] lengths = [150, 1, 33, 7];
        long[][] ids = [.. lengths.Select((length, index) => TinyModels.Ids(configuration, length, (ulong)index))];
        float[][] expected =
        [
            .. ids.Select(own => model.Forward(new ForwardInput(own, 1)
            {
                RunMultiToken = false,
            }).Logits.Values.ToArray()),
        ];

        // Chunks of 40, 1, 9, 2 tokens: the sequences begin together and end one after another.
        int[] chunks = [40, 1, 9, 2];
        KeyValueCache<float>[] caches =
            [.. lengths.Select(length => new KeyValueCache<float>(configuration, 1, 1, length))];
        int passes = 0;
        while (Enumerable.Range(0, 4).Any(index => caches[index].Length < lengths[index]))
        {
            (int Index, int Start, int Count)[] parts =
            [
                .. Enumerable.Range(0, 4)
                    .Where(index => caches[index].Length < lengths[index])
                    .Select(index => (
                        index,
                        caches[index].Length,
                        Math.Min(chunks[index], lengths[index] - caches[index].Length))),
            ];
            long[] rows = [.. parts.SelectMany(part => ids[part.Index][part.Start..(part.Start + part.Count)])];
            SequenceRows<float>[] sequences =
                [.. parts.Select(part => new SequenceRows<float>(part.Count, caches[part.Index]))];
            HostTensor<float> logits = model.Forward(new ForwardInput(rows, 1), sequences).Logits;
            int row = 0;
            foreach ((int index, int start, int count) in parts)
            {
                int width = logits.Width;
                Runs.AssertSameBits(
                    $"pass {passes} sequence {index}",
                    expected[index].AsSpan(start * width, count * width),
                    logits.Span.Slice(row * width, count * width));
                row += count;
            }

            passes++;
        }

        Assert.Equal(4, passes);
        Assert.Equal(lengths, caches.Select(cache => cache.Length));
    }

    [Fact]
    public void Chosen_rows_of_logits_equal_those_of_all()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = Model(configuration, workers);
        ForwardInput input = new(TinyModels.Ids(configuration, 12), 1);
        HostTensor<float> all = model.Forward(input).Logits;
        float[] expected = [.. all.Row(2), .. all.Row(11)];
        HostTensor<float> chosen = model.Forward(input with { LogitRows = [2, 11] }).Logits;
        Assert.Equal("[1, 2, 203]", chosen.ToString());
        Runs.AssertSameBits("rows", expected, chosen.Values);
        Assert.Empty(model.Forward(input with { LogitRows = [] }).Logits.Values);
        Assert.Throws<ArgumentException>(() => model.Forward(input with { LogitRows = [1], Labels = input.Ids }));
    }

    [Fact]
    public void The_MTP_layer_by_itself_equals_the_published_call_but_for_the_last_position()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = Model(configuration, workers);
        long[] ids = TinyModels.Ids(configuration, 30);
        float[] published = [.. model.Forward(new ForwardInput(ids[..29], 1)).MultiTokenLogits!.Values];
        KeyValueCache<float> cache = new(configuration, 1, 29);
        int width = configuration.VocabularySize;
        for (int start = 0; start < 29; start += 10)
        {
            int end = Math.Min(start + 10, 29);
            SequenceRows<float>[] rows = [new(end - start, cache)];
            ForwardResult<float> main = model.Forward(new ForwardInput(ids[start..end], 1), rows);
            HostTensor<float> hidden = new(1, end - start, configuration.HiddenSize);
            main.HiddenStates.Span.CopyTo(hidden.Span);
            HostTensor<float> logits =
                model.ForwardMultiToken(new ForwardInput(ids[(start + 1)..(end + 1)], 1), hidden, rows).Logits;
            for (int row = start; row < end; row++)
            {
                Span<float> expected = published.AsSpan(row * width, width), actual = logits.Row(row - start);
                Assert.Equal(row < 28, expected.SequenceEqual(actual)); // published: token 0 after the last
            }
        }

        Assert.Equal((29, 29), (cache.Length, cache.LengthOf(configuration.LayerCount)));
    }

    [Fact]
    public void A_cache_grows_by_doubling_up_to_its_limit()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Scalar, workers);
        KeyValueCache<float> cache = new(configuration, 1, 3, 10);
        Assert.Equal((3, 10), (cache.Capacity, cache.Limit));
        cache.Reserve(3, operators);
        Assert.Equal(3, cache.Capacity);
        cache.Reserve(4, operators);
        Assert.Equal(6, cache.Capacity);
        cache.Reserve(7, operators);
        Assert.Equal(10, cache.Capacity);
        string message = Assert.Throws<ArgumentException>(() => cache.Reserve(11, operators)).Message;
        Assert.Contains("may hold 10 tokens; 11 do not fit", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeyValueCache<float>(configuration, 1, 4, 3));
        KeyValueCache<float> empty = new(configuration, 1, 0, 5);
        empty.Reserve(1, operators);
        Assert.Equal(1, empty.Capacity);
    }

    [Fact]
    public void Rows_without_an_owner_are_refused()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = Model(configuration, workers);
        KeyValueCache<float> cache = new(configuration, 1, 20), pair = new(configuration, 2, 20);
        ForwardInput input = new([1, 2, 3], 1);
        Assert.Throws<ArgumentException>(() => model.Forward(input, [new(2, cache)]));
        Assert.Throws<ArgumentException>(() => model.Forward(input, [new(2, cache), new(1, cache)]));
        Assert.Throws<ArgumentException>(() => model.Forward(input, [new(3, pair)]));
        Assert.Throws<ArgumentException>(() => model.Forward(input, [new(3, cache), new(0, new(configuration, 1, 1))]));
        Assert.Throws<ArgumentException>(
            () => model.Forward(input with { Positions = [0, 1, 2] }, [new(3, cache)]));
        Assert.Equal(0, cache.Length);
    }

    private static RingFlashModel<float> Model(ModelConfiguration configuration, WorkerPool workers) => new(
        configuration,
        TinyModels.Weights(configuration),
        new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
}
