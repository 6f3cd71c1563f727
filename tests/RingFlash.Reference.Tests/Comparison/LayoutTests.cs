// Red means: parts, ranks, pieces or padding are put together in the wrong order, or what does not fit is let through.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed class LayoutTests
{
    private const string Fused = "model.layers.1.attention.query_key_value.output";
    private const int HeadDim = 16, Rows = 48, Hidden = 64;

    private readonly GoldenTaps golden = new("tiny-f32");

    private readonly GoldenTaps padded = new("tiny-padded-f32");

    // Which query, key and value heads a rank holds; with 4 ranks and 2 key heads two ranks hold the same key head.
    public static TheoryData<int, string> Ranks => new()
    {
        { 2, "0,1,4,6 2,3,5,7" },
        { 4, "0,4,6 1,4,6 2,5,7 3,5,7" },
    };

    [Theory]
    [MemberData(nameof(Ranks))]
    public void Stacked_heads_of_ranks_are_put_in_order(int size, string heads)
    {
        MemoryDump dump = new();
        int[][] held = [.. heads.Split(' ').Select(rank => rank.Split(',').Select(int.Parse).ToArray())];

        // Written in falling order of ranks: the attribute tells, not the place in the dump.
        for (int rank = size - 1; rank >= 0; rank--)
        {
            AddRank(dump, "model.layers.1.attention.query_key_value.output",
                Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, held[rank])), rank, size);
        }

        golden.AssertSame(Read(dump, "vllm"), [Fused]);
    }

    [Fact]
    public void Grouped_heads_of_ranks_are_put_in_order()
    {
        MemoryDump dump = new();
        AddRank(dump, "decoder.layers.1.self_attention.linear_qkv.output.0",
            Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 0, 1, 4, 6)), 0, 2);
        AddRank(dump, "decoder.layers.1.self_attention.linear_qkv.output.0",
            Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 2, 3, 5, 7)), 1, 2);
        golden.AssertSame(Read(dump, "megatron"), [Fused]);
    }

    [Theory]
    [InlineData("query", 4, 2)]
    [InlineData("key", 2, 2)]
    [InlineData("query", 4, 4)]
    [InlineData("key", 2, 4)]
    public void Normed_heads_of_ranks_are_put_in_order(string part, int heads, int size)
    {
        string tap = $"model.layers.1.attention.{part}_layernorm.output";
        float[] byToken = Relayout.Permute(golden.Floats[tap], golden.Shapes[tap], 0, 2, 1, 3);
        int perRank = Math.Max(1, heads / size);
        MemoryDump dump = new();
        for (int rank = 0; rank < size; rank++)
        {
            int first = heads < size ? rank * heads / size : rank * perRank;
            float[] mine = Relayout.Columns(
                byToken, heads * HeadDim, Relayout.Channels(HeadDim, [.. Enumerable.Range(first, perRank)]));
            dump.Add(
                $"non_intrusive__model.layers.1.attention.{part}_layernorm.output",
                ElementType.Float32,
                mine,
                Attributes(rank, size),
                Rows * perRank,
                HeadDim);
        }

        golden.AssertSame(Read(dump, "sglang"), [tap]);
    }

    [Fact]
    public void Summands_of_ranks_are_added_and_copies_are_taken_once()
    {
        const string Dense = "model.layers.1.attention.dense.output", Mlp = "model.layers.1.mlp.output";
        MemoryDump dump = new();
        for (int rank = 0; rank < 2; rank++)
        {
            AddRank(dump, $"non_intrusive__{Dense}", Relayout.Half(golden.Floats[Dense]), rank, 2);
            AddRank(dump, $"non_intrusive__{Mlp}", golden.Floats[Mlp], rank, 2);
        }

        Candidate candidate = Read(dump, "sglang");
        golden.AssertSame(candidate, [Dense, Mlp]);
        Assert.Contains(candidate.Notes, note => note.Contains("2 ranks hold it", StringComparison.Ordinal));
    }

    [Fact]
    public void A_rank_that_is_missing_is_said()
    {
        MemoryDump dump = new();
        AddRank(dump, Fused, new float[Rows * 64], 0, 2);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Read(dump, "vllm"));
        Assert.Contains("1 ranks where tensor parallelism has 2", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_may_stand_in_names_and_be_declared()
    {
        NameMap map = UserMap(
            """{ "name": "tp{rank}/l{layer}.qkv", "tap": "model.layers.{layer}.attention.query_key_value.output",""",
            """ "parts": "split" }""");
        MemoryDump dump = new();
        dump.Add("tp1/l1.qkv",
            Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 2, 3, 5, 7)), Rows, 64);
        dump.Add("tp0/l1.qkv",
            Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 0, 1, 4, 6)), Rows, 64);
        CandidateLayout layout = new() { TensorParallelSize = 2 };
        golden.AssertSame(
            new CandidateReader(golden.Configuration, golden.Input, layout).Read(dump, map), [Fused]);
        Assert.Throws<InvalidInputException>(
            () => new CandidateReader(golden.Configuration, golden.Input).Read(dump, map));
    }

    [Fact]
    public void Three_projections_are_one_fused_tap()
    {
        NameMap map = UserMap(
            """{ "name": "l{layer}.q", "tap": "model.layers.{layer}.attention.query_key_value.output",""",
            """ "piece": "query" },""",
            """{ "name": "l{layer}.k", "tap": "model.layers.{layer}.attention.query_key_value.output",""",
            """ "piece": "key" },""",
            """{ "name": "l{layer}.v", "tap": "model.layers.{layer}.attention.query_key_value.output",""",
            """ "piece": "value" }""");
        MemoryDump dump = new();
        dump.Add("l1.v", Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 6, 7)), Rows, 32);
        dump.Add("l1.q", Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 0, 1, 2, 3)), Rows, 64);
        Assert.Contains(
            "the key part is missing",
            Assert.Throws<InvalidInputException>(() => Read(dump, map)).Message,
            StringComparison.Ordinal);
        dump.Add("l1.k", Relayout.Columns(golden.Floats[Fused], 128, Relayout.Channels(HeadDim, 4, 5)), Rows, 32);
        golden.AssertSame(Read(dump, map), [Fused]);
    }

    [Fact]
    public void Sequence_parallel_ranks_hold_the_next_tokens()
    {
        const string Norm = "model.norm.output";
        NameMap map = UserMap(
            """{ "name": "norm", "tap": "model.norm.output", "axes": "t,b,width", "parts": "tokens" }""");
        float[] exchanged = Relayout.Permute(golden.Floats[Norm], [2, 24, Hidden], 1, 0, 2);
        MemoryDump dump = new();
        for (int rank = 0; rank < 2; rank++)
        {
            dump.Add("norm", ElementType.Float32, exchanged[(rank * 12 * 128)..((rank + 1) * 12 * 128)],
                Attributes(rank, 2), 12, 2, Hidden);
        }

        golden.AssertSame(Read(dump, map), [Norm]);
    }

    [Fact]
    public void Logits_of_the_last_tokens_only_say_which_rows_they_are()
    {
        MemoryDump dump = new();
        float[] last = Relayout.Rows(golden.Floats["lm_head.output"], 512, 23, 47);
        dump.Add("logits_processor.output", last, 2, 512);
        CandidateTap tap = Read(dump, "vllm").Taps["lm_head.output"];
        Assert.Equal([23, 47], tap.Rows);
        Assert.Equal([1, 2, 512], tap.Shape);
        Assert.Equal(last, Values(tap));

        // The same of a padded batch: the last real token, on whichever side padding stands.
        MemoryDump left = new MemoryDump().Add("lm_head.output", new float[3 * 512], 3, 1, 512);
        Assert.Equal([19, 39, 59], Padded(left, new CandidateLayout()).Taps["lm_head.output"].Rows);
    }

    [Fact]
    public void Only_logits_may_be_of_the_last_token_where_the_map_says_so()
    {
        MemoryDump dump = new MemoryDump().Add("model.norm.output", new float[2 * Hidden], 2, 1, Hidden);
        Assert.Throws<InvalidInputException>(() => Read(dump, "ringflash"));
    }

    [Fact]
    public void Packed_sequences_are_the_real_tokens_of_a_padded_batch()
    {
        int[] real = Real();
        MemoryDump dump = new();
        dump.Add("model.norm.output", Relayout.Rows(padded.Floats["model.norm.output"], Hidden, real), 38, Hidden);
        dump.Add("input_ids", Relayout.Rows(padded.Integers["input_ids"], 1, real), 38);
        Candidate candidate = Padded(dump, new CandidateLayout());
        CandidateTap tap = candidate.Taps["model.norm.output"];
        Assert.Equal(real, tap.Rows);
        Assert.Equal([1, 38, Hidden], tap.Shape);
        Assert.Equal(Relayout.Rows(padded.Floats["model.norm.output"], Hidden, real), Values(tap));
        Assert.Equal(real, candidate.Inputs["input_ids"].Rows);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Padding_on_the_other_side_is_aligned(bool byMask)
    {
        // The reference is padded on the left; here sequences of 20, 13 and 5 begin at once, in rows of 24.
        int[] lengths = [20, 13, 5];
        float[] norm = [.. Enumerable.Repeat(-1f, 3 * 24 * Hidden)];
        float[] query = new float[3 * 4 * 24 * HeadDim];
        const string Query = "model.layers.1.attention.query_layernorm.output";
        long[] mask = new long[3 * 24];
        for (int sequence = 0; sequence < 3; sequence++)
        {
            for (int token = 0; token < lengths[sequence]; token++)
            {
                int from = 20 - lengths[sequence] + token;
                mask[(sequence * 24) + token] = 1;
                Array.Copy(
                    padded.Floats["model.norm.output"], ((sequence * 20) + from) * Hidden,
                    norm, ((sequence * 24) + token) * Hidden, Hidden);
                for (int head = 0; head < 4; head++)
                {
                    Array.Copy(
                        padded.Floats[Query], ((((sequence * 4) + head) * 20) + from) * HeadDim,
                        query, ((((sequence * 4) + head) * 24) + token) * HeadDim, HeadDim);
                }
            }
        }

        MemoryDump dump = new MemoryDump()
            .Add("model.norm.output", norm, 3, 24, Hidden)
            .Add(Query, query, 3, 4, 24, HeadDim)
            .Add("model.layers.1.attention.weights", new float[3 * 4 * 24 * 24], 3, 4, 24, 24);
        if (byMask)
        {
            dump.Add("attention_mask", mask, 3, 24);
        }

        Candidate candidate = Padded(dump, new CandidateLayout { Padding = byMask ? null : PaddingSide.Right });
        int[] real = Real();
        Assert.Equal(real, candidate.Taps["model.norm.output"].Rows);
        Assert.Equal(
            Relayout.Rows(padded.Floats["model.norm.output"], Hidden, real),
            Values(candidate.Taps["model.norm.output"]));

        // [1, heads, rows, head_dim]
        float[] byHead = Relayout.Permute(padded.Floats[Query], [3, 4, 20, HeadDim], 1, 0, 2, 3);
        float[] expected = [.. Enumerable.Range(0, 4).SelectMany(head =>
            Relayout.Rows(byHead, HeadDim, [.. real.Select(row => (head * 60) + row)]))];
        Assert.Equal([1, 4, 38, HeadDim], candidate.Taps[Query].Shape);
        Assert.Equal(expected, Values(candidate.Taps[Query]));
        Assert.Contains("attention.weights", Assert.Single(candidate.Misfits), StringComparison.Ordinal);
    }

    [Fact]
    public void A_longer_batch_without_a_word_about_padding_is_refused()
    {
        MemoryDump dump = new MemoryDump().Add("model.norm.output", new float[3 * 24 * Hidden], 3, 24, Hidden);
        InvalidInputException refusal =
            Assert.Throws<InvalidInputException>(() => Padded(dump, new CandidateLayout()));
        Assert.Contains("say on which side", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_several_steps_one_must_be_chosen()
    {
        MemoryDump dump = new();
        foreach (string step in new[] { "0", "1" })
        {
            float[] values = step == "1" ? golden.Floats["model.norm.output"] : new float[Rows * Hidden];
            dump.Add(
                "non_intrusive__model.norm.output.0", ElementType.Float32, values, [("step", step)], Rows, Hidden);
        }

        Assert.True(Assert.Throws<InvalidInputException>(() => Read(dump, "sglang")).IsSetting);
        CandidateReader second = new(golden.Configuration, golden.Input, new CandidateLayout { Step = 1 });
        golden.AssertSame(second.Read(dump, CandidateReader.FindMap("sglang")), ["model.norm.output"]);
        CandidateReader third = new(golden.Configuration, golden.Input, new CandidateLayout { Step = 2 });
        Assert.Throws<InvalidInputException>(() => third.Read(dump));
    }

    [Fact]
    public void A_residual_without_its_hidden_state_is_no_layer_output()
    {
        MemoryDump dump = new MemoryDump()
            .Add("model.layers.1.output.0", new float[Rows * Hidden], Rows, Hidden)
            .Add("model.norm.output", golden.Floats["model.norm.output"], Rows, Hidden);
        Candidate candidate = Read(dump, "vllm");
        Assert.Equal(["model.norm.output"], candidate.Taps.Keys);
        Assert.Contains("is there 0 times", Assert.Single(candidate.Misfits), StringComparison.Ordinal);
    }

    [Fact]
    public void A_sum_of_bfloat16_is_rounded_once()
    {
        float[] hidden = [.. Enumerable.Repeat(1f, Rows * Hidden)];
        float[] residual = [.. Enumerable.Repeat(1f / 256, Rows * Hidden)];
        MemoryDump dump = new MemoryDump()
            .Add("model.layers.1.output.0", ElementType.BFloat16, hidden, [], Rows, Hidden)
            .Add("model.layers.1.output.1", ElementType.BFloat16, residual, [], Rows, Hidden);
        CandidateTap tap = Read(dump, "vllm").Taps["model.layers.1.output"];
        Assert.Equal(ElementType.BFloat16, tap.ElementType);
        Assert.All(Values(tap), value => Assert.Equal(1f, value));
    }

    [Theory]
    [InlineData("model.norm.output", new long[] { 2, 24, 32 }, "32 values per token where the reference has 64")]
    [InlineData("model.norm.output", new long[] { 48, 32 }, "32 values per token where the reference has 64")]
    [InlineData("model.norm.output", new long[] { 3072 }, "the map says [b, t, width] or [n, width]")]
    [InlineData(Fused, new long[] { 48, 96 }, "96 values per token where the reference has 128")]
    [InlineData("model.layers.1.attention.query_layernorm.output", new long[] { 2, 24, 4, 16 }, "4 heads")]
    [InlineData("model.layers.1.attention.query_layernorm.output", new long[] { 48, 2, 32 }, "4 heads")]
    [InlineData("model.layers.1.attention.query_layernorm.output", new long[] { 48, 64 }, "b, heads, t, width")]
    [InlineData("model.layers.1.mlp.gate.topk_weight", new long[] { 48, 8 }, "8 values per token")]
    [InlineData("loss", new long[] { 2 }, "one number")]
    public void Axes_that_are_not_declared_are_refused(string name, long[] shape, string reason)
    {
        MemoryDump dump = new();
        dump.Add(name, new float[shape.Aggregate(1L, (product, axis) => product * axis)], shape);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Read(dump, "ringflash"));
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_tensor_that_does_not_fit_is_said_and_the_others_are_read()
    {
        MemoryDump dump = golden.Dump();
        dump.Add("model.layers.9.output", new float[3], 3);
        MemoryDump wrong = new();
        foreach (RingFlash.Reference.Dumps.DumpTensor tensor in dump.Tensors)
        {
            if (tensor.Name != "model.norm.output")
            {
                wrong.Add(tensor);
            }
        }

        wrong.Add("model.norm.output", new float[Rows * 32], 2, 24, 32);
        Candidate candidate = Read(wrong, "ringflash");
        Assert.Equal(golden.Names.Count() - 1, candidate.Taps.Count);
        Assert.Single(candidate.Misfits);
        Assert.Equal(["model.layers.9.output"], candidate.Unmapped);
    }

    private static float[] Values(CandidateTap tap)
    {
        float[] values = new float[tap.ElementCount];
        tap.ReadSingle(0, values);
        return values;
    }

    private static (string, string)[] Attributes(int rank, int size) =>
    [
        ("rank", rank.ToString(CultureInfo.InvariantCulture)),
        ("sglang_parallel_info.tp_rank", rank.ToString(CultureInfo.InvariantCulture)),
        ("sglang_parallel_info.tp_size", size.ToString(CultureInfo.InvariantCulture)),
    ];

    private static NameMap UserMap(params string[] lines) => NameMapReader.Parse(
        Encoding.UTF8.GetBytes(
            $$"""{ "format": "ringflash-map/1", "name": "mine", "tensors": [ {{string.Concat(lines)}} ] }"""),
        "mine.json");

    private void AddRank(MemoryDump dump, string name, float[] values, int rank, int size) => dump.Add(
        name, ElementType.Float32, values, Attributes(rank, size), Rows, values.Length / Rows);

    // The rows of the padded case that are no padding: 20, 13 and 5 tokens at the right of 20.
    private int[] Real() =>
        [.. Enumerable.Range(0, 60).Where(row => padded.Integers["attention_mask"][row] == 1)];

    private Candidate Read(MemoryDump dump, string map) => Read(dump, CandidateReader.FindMap(map));

    private Candidate Read(MemoryDump dump, NameMap map) =>
        new CandidateReader(golden.Configuration, golden.Input).Read(dump, map);

    private Candidate Padded(MemoryDump dump, CandidateLayout layout) =>
        new CandidateReader(padded.Configuration, padded.Input, layout).Read(
            dump, CandidateReader.FindMap("ringflash"));
}
