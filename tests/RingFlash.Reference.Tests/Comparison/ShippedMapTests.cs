// Red means: a tensor of another program is taken for something else than it is, or its axes are read wrongly.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>
/// A golden case renamed and laid out as each program does it, by code of this file, comes back as it was. Batch 2,
/// 24 tokens, hidden 64, 4 query and 2 key-value heads of 16, 16 experts, 4 chosen.
/// </summary>
public sealed class ShippedMapTests
{
    private const int HeadDim = 16, Queries = 4, Keys = 2, Hidden = 64, Rows = 48, Main = 4;

    private readonly GoldenTaps golden = new("tiny-f32");

    public static TheoryData<string> Names => [.. NameMap.Shipped.Select(map => map.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_line_says_where_it_is_from(string name)
    {
        NameMap map = CandidateReader.FindMap(name);
        Assert.NotEmpty(map.Source);
        Assert.NotEmpty(map.Entries);
        Assert.DoesNotContain(map.Entries, entry => entry.Source.Length == 0);
    }

    [Fact]
    public void Transformers_by_hooks()
    {
        MemoryDump dump = new();
        List<string> taps = [];
        void Add(string tap, string name)
        {
            golden.AddTo(dump, tap, name);
            taps.Add(tap);
        }

        Add("model.word_embeddings.output", "model.word_embeddings.output");
        Add("model.rotary_emb.cos", "model.rotary_emb.output.0");
        Add("model.rotary_emb.sin", "model.rotary_emb.output.1");
        Add("model.norm.output", "model.norm.output");
        Add("lm_head.output", "lm_head.output");
        for (int layer = 0; layer <= Main; layer++)
        {
            string prefix = Layer(layer);
            Add(prefix + "output", prefix + "output.0");
            Add(prefix + "input_layernorm.output", prefix + "input_layernorm");
            Add(prefix + "attention.query_key_value.output", prefix + "attention.query_key_value");
            Add(prefix + "attention.query_layernorm.output", prefix + "attention.query_layernorm.output");
            Add(prefix + "attention.key_layernorm.output", prefix + "attention.key_layernorm.output");
            Add(prefix + "attention.weights", prefix + "attention.output.1");
            Add(prefix + "attention.dense.input", prefix + "attention.dense.input");
            Add(prefix + "attention.dense.output", prefix + "attention.output.0");
            Add(prefix + "post_attention_layernorm.output", prefix + "post_attention_layernorm.output");
            Add(prefix + "mlp.output", layer == 0 ? prefix + "mlp.output" : prefix + "mlp.output.0");
            if (layer > 0)
            {
                Add(prefix + "mlp.gate.topk_idx", prefix + "mlp.gate.output.0");
                Add(prefix + "mlp.gate.topk_weight", prefix + "mlp.gate.output.1");
                Add(prefix + "mlp.gate.logits", prefix + "mlp.gate.output.2");
                Add(prefix + "mlp.shared_experts.output", prefix + "mlp.shared_experts.output");
            }
        }

        golden.AssertSame(Read(dump, "transformers"), taps);
        golden.AssertSame(Read(dump, null), taps);
    }

    [Fact]
    public void Transformers_by_its_debugger_which_keeps_outputs_of_leaves_and_inputs_of_all()
    {
        const string Root = "BailingMoeV2ForCausalLM.";
        MemoryDump dump = new();
        List<string> taps = [];
        void Add(string tap, string name)
        {
            golden.AddTo(dump, tap, Root + name);
            taps.Add(tap);
        }

        Add("model.word_embeddings.output", "model.word_embeddings.outputs");
        for (int layer = 1; layer < Main; layer++)
        {
            Add(Layer(layer - 1) + "output", Layer(layer) + "inputs.args.0");
            Add(Layer(layer) + "post_attention_layernorm.output", Layer(layer) + "mlp.inputs.args.0");
            Add(Layer(layer) + "mlp.gate.topk_idx", Layer(layer) + "mlp.gate.outputs.0");
            Add(Layer(layer) + "mlp.shared_experts.output", Layer(layer) + "mlp.shared_experts.down_proj.outputs");
        }

        Add("model.layers.0.mlp.output", "model.layers.0.mlp.down_proj.outputs");

        // The same as the spare one, from where it is better seen; the first layer's input has no layer before it.
        dump.Add(Root + "model.layers.0.inputs.args.0", new float[Rows * Hidden], 2, 24, Hidden);
        golden.AddTo(dump, "model.layers.1.post_attention_layernorm.output",
            Root + "model.layers.1.post_attention_layernorm.outputs");
        dump.Add(Root + "model.layers.1.mlp.experts.3.up_proj.outputs", new float[5 * 32], 5, 32);
        Candidate candidate = Read(dump, "transformers");
        golden.AssertSame(candidate, taps);
        Assert.Empty(candidate.Unmapped);
        Assert.Contains(candidate.Notes, note => note.Contains("routed to it only", StringComparison.Ordinal));
    }

    [Fact]
    public void A_second_call_of_a_module_is_that_of_the_multi_token_layer()
    {
        MemoryDump dump = new();
        foreach ((string tap, string name, string call) in new[]
        {
            ("model.word_embeddings.output", "model.word_embeddings.outputs", "1"),
            ("mtp.0.word_embeddings.output", "model.word_embeddings.outputs", "2"),
            ("mtp.0.logits", "lm_head.outputs", "2"),
        })
        {
            dump.Add(
                "BailingMoeV2ForCausalLM." + name,
                ElementType.Float32,
                golden.Floats[tap],
                [("call", call)],
                golden.Shapes[tap]);
        }

        dump.Add("model.norm.output", ElementType.Float32, new float[Rows * Hidden], [("call", "3")], 2, 24, Hidden);
        Candidate candidate = Read(dump, "transformers");
        golden.AssertSame(
            candidate, ["model.word_embeddings.output", "mtp.0.word_embeddings.output", "mtp.0.logits"]);
        Assert.Equal(["model.norm.output"], candidate.Unmapped);
    }

    [Fact]
    public void The_input_of_the_multi_token_layer_is_no_layers_output()
    {
        MemoryDump dump = new();
        golden.AddTo(dump, "model.layers.2.output", "model.layers.3.inputs.args.0");
        dump.Add("model.layers.4.inputs.args.0", new float[Rows * Hidden], 2, 24, Hidden);
        golden.AssertSame(Read(dump, "transformers"), ["model.layers.2.output"]);
    }

    [Fact]
    public void Dense_routing_with_another_number_of_experts_is_refused_when_it_is_read()
    {
        float[] probabilities = [.. Enumerable.Range(0, Rows * 16).Select(index => index % 16 < 4 ? 0.5f : 0f)];
        probabilities[(7 * 16) + 9] = 0.5f;
        MemoryDump dump = new MemoryDump().Add("decoder.layers.1.mlp.router.output.0", probabilities, Rows, 16);
        CandidateTap tap = Read(dump, "megatron").Taps["model.layers.1.mlp.gate.topk_weight"];
        tap.ReadSingle(0, new float[7 * 4]);
        InvalidInputException refusal =
            Assert.Throws<InvalidInputException>(() => tap.ReadSingle(0, new float[8 * 4]));
        Assert.Contains("row 7 has 5 experts", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Msprobe_names_the_class_and_the_call()
    {
        MemoryDump dump = new();
        golden.AddTo(dump, "model.norm.output", "Module.model.norm.BailingMoeV2RMSNorm.forward.0.output.0");
        golden.AddTo(
            dump, "model.layers.2.output", "Module.model.layers.2.BailingMoeV2DecoderLayer.forward.0.output.0");
        golden.AddTo(
            dump,
            "model.layers.2.mlp.gate.topk_idx",
            "Module.model.layers.2.mlp.gate.BailingMoeV2Gate.forward.0.output.0");
        golden.AssertSame(
            Read(dump, null), ["model.norm.output", "model.layers.2.output", "model.layers.2.mlp.gate.topk_idx"]);
    }

    [Fact]
    public void Sglang_by_its_dumper()
    {
        MemoryDump dump = new();
        List<string> taps = [];
        Dictionary<string, float[]> changed = [];
        golden.AddTo(dump, "input_ids", "input_ids", Rows);
        AddFlat(dump, taps, "model.word_embeddings.output", "non_intrusive__model.word_embeddings.output", Hidden);
        AddFlat(dump, taps, "model.norm.output", "non_intrusive__model.norm.output.0", Hidden);
        AddFlat(dump, taps, "lm_head.output", "non_intrusive__logits_processor.output.next_token_logits", 512);
        for (int layer = 0; layer < Main; layer++)
        {
            string ours = Layer(layer), name = "non_intrusive__" + ours;
            AddFlat(dump, taps, ours + "input_layernorm.output",
                name + (layer == 0 ? "input_layernorm.output" : "input_layernorm.output.0"), Hidden);
            AddFlat(dump, taps, ours + "attention.query_key_value.output",
                name + "attention.query_key_value.output", 128);
            AddHeads(dump, taps, ours + "attention.query_layernorm.output",
                name + "attention.query_layernorm.output", Rows * Queries, HeadDim);
            AddHeads(dump, taps, ours + "attention.key_layernorm.output",
                name + "attention.key_layernorm.output", Rows * Keys, HeadDim);
            AddFlat(dump, taps, ours + "attention.dense.input", name + "attention.attn.output", Hidden);
            AddFlat(dump, taps, ours + "attention.dense.output", name + "attention.dense.output", Hidden);
            AddFlat(dump, taps, ours + "mlp.output", name + "mlp.output", Hidden);
            dump.Add(name + "output.0", Relayout.Half(golden.Floats[ours + "output"]), Rows, Hidden);
            dump.Add(name + "output.1", Relayout.Half(golden.Floats[ours + "output"]), Rows, Hidden);
            taps.Add(ours + "output");

            // One module for all layers: only the layer_id tells them apart.
            (string, string)[] layerId = [("layer_id", layer.ToString(CultureInfo.InvariantCulture))];
            foreach ((string part, string result, int heads) in
                new[] { ("query", ".output.0", Queries), ("key", ".output.1", Keys) })
            {
                string tap = ours + "attention.rotary." + part;
                dump.Add(
                    "non_intrusive__model.layers.0.attention.rotary_emb" + result,
                    ElementType.Float32,
                    ByToken(tap),
                    layerId,
                    Rows,
                    heads * HeadDim);
                taps.Add(tap);
            }

            if (layer > 0)
            {
                AddFlat(dump, taps, ours + "mlp.gate.logits", name + "mlp.gate.output", 16);
                golden.AddTo(dump, ours + "mlp.gate.topk_idx", name + "mlp.topk.output.1");
                float[] unscaled = Array.ConvertAll(golden.Floats[ours + "mlp.gate.topk_weight"], w => w / 2.5f);
                dump.Add(name + "mlp.topk.output.0", unscaled, Rows, 4);
                changed[ours + "mlp.gate.topk_weight"] = Array.ConvertAll(unscaled, w => w * 2.5f);
                taps.AddRange([ours + "mlp.gate.topk_idx", ours + "mlp.gate.topk_weight"]);
                golden.AddTo(dump, ours + "mlp.routed.output", name + "mlp.experts.output");
                taps.Add(ours + "mlp.routed.output");
                AddFlat(dump, taps, ours + "mlp.shared_experts.output", name + "mlp.shared_experts.output", Hidden);
                dump.Add(name + "mlp.inputs.0", new float[Rows * Hidden], Rows, Hidden);
            }
        }

        Candidate candidate = Read(dump, "sglang");
        golden.AssertSame(candidate, taps, changed);
        Assert.Empty(candidate.Unmapped);
        golden.AssertSame(Read(dump, null), taps, changed);
    }

    [Fact]
    public void Vllm_by_hooks()
    {
        MemoryDump dump = new();
        List<string> taps = [];
        AddFlat(dump, taps, "model.word_embeddings.output", "model.word_embeddings.output", Hidden);
        AddFlat(dump, taps, "lm_head.output", "logits_processor.output", 512);
        AddFlat(dump, taps, "model.norm.output", "model.norm.output.0", Hidden);
        for (int layer = 0; layer < Main; layer++)
        {
            string ours = Layer(layer);
            AddFlat(dump, taps, ours + "attention.dense.output", ours + "attention.dense.output.0", Hidden);
            AddHeads(dump, taps, ours + "attention.query_layernorm.output",
                ours + "attention.query_layernorm.output", Rows, Queries, HeadDim);
            dump.Add(ours + "output.0", Relayout.Half(golden.Floats[ours + "output"]), Rows, Hidden);
            dump.Add(ours + "output.1", Relayout.Half(golden.Floats[ours + "output"]), Rows, Hidden);
            taps.Add(ours + "output");
        }

        Candidate candidate = Read(dump, "vllm");
        golden.AssertSame(candidate, taps);
        Assert.Empty(candidate.Unmapped);
    }

    [Fact]
    public void Megatron_exchanges_batch_and_tokens_and_groups_the_heads()
    {
        MemoryDump dump = new();
        List<string> taps = [];
        void Add(string tap, string name, int width)
        {
            dump.Add(name, Relayout.Permute(golden.Floats[tap], [2, 24, width], 1, 0, 2), 24, 2, width);
            taps.Add(tap);
        }

        golden.AddTo(dump, "model.word_embeddings.output", "embedding.word_embeddings.output");
        taps.Add("model.word_embeddings.output");
        Add("model.norm.output", "decoder.final_layernorm.output", Hidden);
        Add("lm_head.output", "output_layer.output.0", 512);
        for (int layer = 0; layer < Main; layer++)
        {
            string ours = Layer(layer), name = $"decoder.layers.{layer}.";
            Add(ours + "output", name + "output.0", Hidden);
            Add(ours + "attention.dense.input", name + "self_attention.core_attention.output", Hidden);
            Add(ours + "attention.dense.output", name + "self_attention.linear_proj.output.0", Hidden);
            Add(ours + "post_attention_layernorm.output", name + "pre_mlp_layernorm.output", Hidden);
            Add(ours + "mlp.output", name + "mlp.output.0", Hidden);
            string query = ours + "attention.query_layernorm.output";
            dump.Add(
                name + "self_attention.q_layernorm.output",
                Relayout.Permute(golden.Floats[query], [2, Queries, 24, HeadDim], 2, 0, 1, 3),
                24,
                2,
                Queries,
                HeadDim);
            taps.Add(query);

            // Group 0: query heads 0 and 1, key head 0, value head 0; group 1 the others.
            string fused = ours + "attention.query_key_value.output";
            float[] grouped = Relayout.Columns(
                golden.Floats[fused], 128, Relayout.Channels(HeadDim, 0, 1, 4, 6, 2, 3, 5, 7));
            dump.Add(
                name + "self_attention.linear_qkv.output.0",
                Relayout.Permute(grouped, [2, 24, 128], 1, 0, 2),
                24,
                2,
                128);
            taps.Add(fused);
        }

        golden.AssertSame(Read(dump, "megatron"), taps);
    }

    [Fact]
    public void Megatrons_dense_routing_gives_the_experts_in_ascending_order()
    {
        const string Gate = "model.layers.1.mlp.gate.";
        long[] chosen = golden.Integers[Gate + "topk_idx"];
        float[] weights = golden.Floats[Gate + "topk_weight"], probabilities = new float[Rows * 16];
        long[] map = new long[Rows * 16];
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            probabilities[(slot / 4 * 16) + chosen[slot]] = weights[slot];
            map[(slot / 4 * 16) + chosen[slot]] = 1;
        }

        MemoryDump dump = new MemoryDump()
            .Add("decoder.layers.1.mlp.router.output.0", probabilities, Rows, 16)
            .Add("decoder.layers.1.mlp.router.output.1", map, Rows, 16);
        Candidate candidate = Read(dump, "megatron");
        long[] ours = candidate.Taps[Gate + "topk_idx"].ReadInt64();
        float[] ourWeights = new float[Rows * 4];
        candidate.Taps[Gate + "topk_weight"].ReadSingle(0, ourWeights);
        for (int token = 0; token < Rows; token++)
        {
            (long, float)[] expected = [.. Enumerable.Range(token * 4, 4)
                .Select(slot => (chosen[slot], weights[slot])).OrderBy(pair => pair.Item1)];
            Assert.Equal(expected, Enumerable.Range(token * 4, 4).Select(slot => (ours[slot], ourWeights[slot])));
        }
    }

    [Fact]
    public void Llama_cpp_by_its_graph_names()
    {
        MemoryDump dump = new();
        List<string> taps = [];
        AddFlat(dump, taps, "model.word_embeddings.output", "inp_embd", Hidden);
        AddFlat(dump, taps, "model.norm.output", "result_norm", Hidden);
        AddFlat(dump, taps, "lm_head.output", "result_output", 512);
        for (int layer = 0; layer < Main; layer++)
        {
            string ours = Layer(layer);
            AddFlat(dump, taps, ours + "input_layernorm.output", $"attn_norm-{layer}", Hidden);
            AddHeads(dump, taps, ours + "attention.query_layernorm.output", $"Qcur_normed-{layer}", Rows, 4, HeadDim);
            AddHeads(dump, taps, ours + "attention.key_layernorm.output", $"Kcur_normed-{layer}", 1, Rows, 2, HeadDim);
            AddHeads(dump, taps, ours + "attention.rotary.query", $"Qcur-{layer}", Rows, 4, HeadDim);
            AddFlat(dump, taps, ours + "attention.dense.input", $"kqv_out-{layer}", Hidden);
            AddFlat(dump, taps, ours + "post_attention_layernorm.output", $"ffn_norm-{layer}", Hidden);
            AddFlat(dump, taps, ours + "mlp.output", $"ffn_out-{layer}", Hidden);
            AddFlat(dump, taps, ours + "output", $"l_out-{layer}", Hidden);
            dump.Add($"sa_out-{layer}", new float[Rows * Hidden], Rows, Hidden);
            if (layer > 0)
            {
                AddFlat(dump, taps, ours + "mlp.gate.logits", $"ffn_moe_logits-{layer}", 16);
                AddFlat(dump, taps, ours + "mlp.gate.scores", $"ffn_moe_probs-{layer}", 16);
                golden.AddTo(dump, ours + "mlp.gate.topk_idx", $"ffn_moe_topk-{layer}");
                golden.AddTo(dump, ours + "mlp.gate.topk_weight", $"ffn_moe_weights_scaled-{layer}", Rows, 4, 1);
                golden.AddTo(dump, ours + "mlp.routed.output", $"ffn_moe_out-{layer}");
                AddFlat(dump, taps, ours + "mlp.shared_experts.output", $"ffn_shexp-{layer}", Hidden);
                taps.AddRange([
                    ours + "mlp.gate.topk_idx", ours + "mlp.gate.topk_weight", ours + "mlp.routed.output",
                ]);
            }
        }

        Candidate candidate = Read(dump, "llama.cpp");
        golden.AssertSame(candidate, taps);
        Assert.Empty(candidate.Unmapped);
        golden.AssertSame(Read(dump, null), taps);
    }

    private static string Layer(int layer) => $"model.layers.{layer}.";

    private Candidate Read(MemoryDump dump, string? map) => new CandidateReader(golden.Configuration, golden.Input)
        .Read(dump, map is null ? null : CandidateReader.FindMap(map));

    private void AddFlat(MemoryDump dump, List<string> taps, string tap, string name, int width)
    {
        golden.AddTo(dump, tap, name, Rows, width);
        taps.Add(tap);
    }

    private void AddHeads(MemoryDump dump, List<string> taps, string tap, string name, params long[] shape)
    {
        dump.Add(name, ByToken(tap), shape);
        taps.Add(tap);
    }

    // [b, heads, t, d] as [b, t, heads, d].
    private float[] ByToken(string tap) => Relayout.Permute(golden.Floats[tap], golden.Shapes[tap], 0, 2, 1, 3);
}
