// Red means: programs that were not fed the same, or hold other weights, are compared without a word.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed class PreflightTests
{
    private const string Dense = "model.layers.1.attention.dense.weight";

    private readonly GoldenTaps golden = new("tiny-f32");

    private readonly SyntheticSource weights;

    public PreflightTests() => weights = new SyntheticSource(
        "synthetic", 20251327, TensorCatalog.For(golden.Configuration));

    [Fact]
    public void The_golden_case_passes_and_what_is_not_there_is_said()
    {
        PreflightReport report = Run(golden.Dump());
        Assert.False(report.MustStop);
        Assert.True(report.CanPass);
        Assert.Empty(report.Lines);
        Assert.Equal("token ids: equal", Text(report, "input_ids"));
        Assert.Equal("positions: equal", Text(report, "position_ids"));
        Assert.Equal("attention mask: equal", Text(report, "attention_mask"));
        Assert.Equal("weights: not in the dump", Text(report, "weights"));
        Assert.Equal("config.json: not beside the dump", Text(report, "config"));
    }

    [Fact]
    public void Ids_that_differ_stop_before_any_number()
    {
        long[] ids = [.. golden.Integers["input_ids"]];
        ids[30]++;
        PreflightReport report = Run(Norm().Add("input_ids", ids, 2, 24));
        Assert.True(report.MustStop);
        Assert.Contains("token 30 has", Text(report, "input_ids"), StringComparison.Ordinal);
        Assert.True(Run(Norm().Add("input_ids", ids[..23], 23)).MustStop);
        Assert.False(Run(Norm()).MustStop);
    }

    [Fact]
    public void Flattened_ids_and_ids_of_a_packed_batch_are_the_same_ids()
    {
        Assert.Equal(
            "token ids: equal", Text(Run(Norm().Add("input_ids", golden.Integers["input_ids"], 48)), "input_ids"));
        GoldenTaps padded = new("tiny-padded-f32");
        long[] mask = padded.Integers["attention_mask"];
        long[] real = [.. padded.Integers["input_ids"].Where((_, row) => mask[row] == 1)];
        MemoryDump dump = new MemoryDump().Add("input_ids", real, real.Length);
        padded.AddTo(dump, "model.norm.output", "model.norm.output");
        Candidate candidate = new CandidateReader(padded.Configuration, padded.Input).Read(dump);
        PreflightReport report = Preflight.Run(
            padded.Configuration, padded.Input, weights, candidate, "nowhere/dump");
        Assert.Equal("token ids: equal", Text(report, "input_ids"));
    }

    [Fact]
    public void Other_positions_are_a_warning()
    {
        long[] positions = Array.ConvertAll(golden.Integers["position_ids"], position => position + 1);
        PreflightReport report = Run(Norm().Add("position_ids", positions, 2, 24));
        Assert.False(report.MustStop);
        Assert.Equal(PreflightSeverity.Warning, Finding(report, "position_ids").Severity);
    }

    [Fact]
    public void Nothing_that_can_be_compared_is_never_a_pass()
    {
        PreflightReport empty = Run(new MemoryDump());
        Assert.True(empty.MustStop);
        PreflightReport strange = Run(new MemoryDump().Add("x", new float[3], 3));
        Assert.True(strange.MustStop);
        Assert.Contains("such as x", Text(strange, "contents"), StringComparison.Ordinal);
        MemoryDump embeddings = new();
        golden.AddTo(embeddings, "model.word_embeddings.output", "model.word_embeddings.output");
        golden.AddTo(embeddings, "model.rotary_emb.cos", "model.rotary_emb.cos");
        PreflightReport only = Run(embeddings);
        Assert.False(only.CanPass);
        Assert.False(only.MustStop);
        Assert.NotEmpty(only.Lines);
    }

    [Fact]
    public void Weights_are_told_apart()
    {
        float[] dense = weights.ReadVector(Dense);
        TensorInfo info = weights.RequireTensor(Dense);
        float amax = dense.Max(Math.Abs), scale = amax / 448;
        (float[] Values, WeightState State)[] cases =
        [
            (dense, WeightState.Equal),
            (Relayout.Permute(dense, [64, 64], 1, 0), WeightState.Transposed),
            (Array.ConvertAll(dense, w => Float8E4M3.ToSingle(Float8E4M3.FromSingle(w / scale)) * scale),
                WeightState.RoundedToFloat8),
            (Array.ConvertAll(dense, w => w * 1.25f), WeightState.Other),
            ([.. dense.Reverse()], WeightState.Other),
            (new float[64 * 64], WeightState.Other),
        ];
        foreach ((float[] values, WeightState state) in cases)
        {
            PreflightReport report = Run(Norm().Add(Dense, values, 64, 64));
            WeightFinding finding = report.Weights.Single(weight => weight.Name == Dense);
            Assert.Equal(state, finding.State);
            Assert.Equal(state == WeightState.Equal, finding.Sha256 == finding.ReferenceSha256);
            Assert.True(report.CanPass);

            // The like of it in the other layers: 4 of 5 are not there.
            Assert.Equal(4, report.Weights.Count(weight => weight.State == WeightState.Missing));
        }

        Assert.Equal(ElementType.BFloat16, info.ElementType);
    }

    [Fact]
    public void A_bias_that_lost_float32_is_recognised()
    {
        const string Bias = "model.layers.1.mlp.gate.expert_bias";
        float[] values = Array.ConvertAll(weights.ReadVector(Bias), value => value + 1e-4f);
        MemorySource source = new(weights, Bias, values);
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(
            Norm().Add(Bias, Array.ConvertAll(values, BFloat16.Round), 16));
        PreflightReport report = Preflight.Run(
            golden.Configuration, golden.Input, source, candidate, "nowhere/dump");
        Assert.Equal(WeightState.RoundedToBFloat16, report.Weights.Single(weight => weight.Name == Bias).State);
        Assert.Contains(report.Lines, line => line.Contains("rounded to bfloat16", StringComparison.Ordinal));
    }

    [Fact]
    public void A_weight_of_exchanged_or_other_axes_is_recognised()
    {
        const string Down = "model.layers.0.mlp.down_proj.weight";
        float[] down = weights.ReadVector(Down);
        float[] exchanged = Relayout.Permute(down, [64, 160], 1, 0);
        Assert.Equal(WeightState.Transposed, State(Down, exchanged, 160, 64));
        Assert.Equal(WeightState.OtherShape, State(Down, down, 160, 64));
        Assert.Equal(WeightState.OtherShape, State(Down, down[..(32 * 160)], 32, 160));
    }

    [Theory]
    [InlineData("vllm", 1)]
    [InlineData("vllm", 2)]
    [InlineData("sglang", 2)]
    public void Fused_and_stacked_weights_of_ranks_are_those_of_the_checkpoint(string map, int size)
    {
        const string Layer = "model.layers.1.";
        MemoryDump dump = Norm();
        for (int rank = 0; rank < size; rank++)
        {
            (string, string)[] attributes = [("tp_rank", $"{rank}"), ("tp_size", $"{size}")];
            void Add(string name, float[] values, params long[] shape) =>
                dump.Add(Layer + name, ElementType.BFloat16, values, attributes, shape);
            float[] Part(float[] matrix, int columns, int rows, int first) =>
                matrix[(first * columns)..((first + rows) * columns)];
            int inner = 32 / size;
            Add("mlp.shared_experts.gate_up_proj.weight", [
                .. Part(Read("mlp.shared_experts.gate_proj.weight"), 64, inner, rank * inner),
                .. Part(Read("mlp.shared_experts.up_proj.weight"), 64, inner, rank * inner),
            ], 2 * inner, 64);
            Add("mlp.experts.w13_weight", [.. Enumerable.Range(0, 16).SelectMany(expert => (float[])[
                .. Part(Read($"mlp.experts.{expert}.gate_proj.weight"), 64, inner, rank * inner),
                .. Part(Read($"mlp.experts.{expert}.up_proj.weight"), 64, inner, rank * inner),
            ])], 16, 2 * inner, 64);
            Add("mlp.experts.w2_weight", [.. Enumerable.Range(0, 16).SelectMany(expert => Relayout.Columns(
                Read($"mlp.experts.{expert}.down_proj.weight"), 32, [.. Enumerable.Range(rank * inner, inner)]))],
                16, 64, inner);
            Add("attention.dense.weight", Relayout.Columns(
                Read("attention.dense.weight"), 64, [.. Enumerable.Range(rank * 64 / size, 64 / size)]),
                64, 64 / size);
            int[] heads = size == 1 ? [0, 1, 2, 3, 4, 5, 6, 7] : rank == 0 ? [0, 1, 4, 6] : [2, 3, 5, 7];
            Add("attention.query_key_value.weight", [.. heads.SelectMany(head =>
                Part(Read("attention.query_key_value.weight"), 64, 16, head * 16))], heads.Length * 16, 64);
            Add("input_layernorm.weight", Read("input_layernorm.weight"), 64);
        }

        PreflightReport report = Run(dump, map);
        Assert.All(report.Weights, weight => Assert.Contains(
            weight.State, new[] { WeightState.Equal, WeightState.Missing }));
        string[] equal = [.. report.Weights.Where(weight => weight.State == WeightState.Equal)
            .Select(weight => weight.Name)];
        Assert.Equal(3 + (3 * 16) + 2, equal.Length);
        Assert.All(equal, name => Assert.StartsWith(Layer, name, StringComparison.Ordinal));

        float[] Read(string name) => weights.ReadVector(Layer + name);
    }

    [Fact]
    public void Megatrons_weights_are_regrouped_and_experts_of_ranks_counted_on()
    {
        const string Layer = "model.layers.1.", Theirs = "decoder.layers.1.";
        float[] fused = weights.ReadVector(Layer + "attention.query_key_value.weight");
        MemoryDump dump = Norm("decoder.final_layernorm");
        dump.Add(Theirs + "self_attention.linear_qkv.weight",
            [.. new[] { 0, 1, 4, 6, 2, 3, 5, 7 }.SelectMany(head => fused[(head * 1024)..((head + 1) * 1024)])],
            128,
            64);
        for (int rank = 0; rank < 2; rank++)
        {
            for (int expert = 0; expert < 8; expert++)
            {
                string name = $"{Layer}mlp.experts.{(rank * 8) + expert}.";
                float[] both = [
                    .. weights.ReadVector(name + "gate_proj.weight"), .. weights.ReadVector(name + "up_proj.weight"),
                ];
                dump.Add(
                    $"{Theirs}mlp.experts.linear_fc1.weight{expert}",
                    ElementType.BFloat16,
                    both,
                    [("ep_rank", $"{rank}"), ("ep_size", "2")],
                    64,
                    64);
            }
        }

        PreflightReport report = Run(dump, "megatron");
        Assert.Equal(1 + 32, report.Weights.Count(weight => weight.State == WeightState.Equal));
        Assert.DoesNotContain(report.Weights, weight => weight.State is WeightState.Other or WeightState.OtherShape);
    }

    [Fact]
    public void Keys_of_the_configuration_that_change_numbers_are_listed_with_both_values()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "config.json");
        string text = File.ReadAllText(Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json"));
        File.WriteAllText(path, text);
        Assert.Equal(
            "config.json: equal in all that changes numbers", Text(RunAt(folder.Path), "config"));
        (string Old, string New, string Id, string Words)[] changes =
        [
            ("\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 1e-05", "rms_norm_eps", "1e-05 where the reference has"),
            ("\"router_dtype\": \"fp32\",", "", "router_dtype", "SGLang and vLLM"),
            ("\"use_rmsnorm\": true,", "", "use_rmsnorm", "LayerNorm"),
            ("\"routed_scaling_factor\": 2.5,", "", "routed_scaling_factor", "absent where the reference has 2.5"),
            ("\"partial_rotary_factor\": 0.5,", "", "partial_rotary_factor", "16 rotated channels"),
            ("\"n_group\": 4", "\"n_group\": \"4\"", "n_group", "where the reference has 4"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\"}", "rope_scaling", "yarn"),
            ("\"use_qk_norm\": true", "\"use_qk_norm\": false", "use_qk_norm", "false where the reference has true"),
        ];
        foreach ((string old, string changed, string id, string words) in changes)
        {
            Assert.Contains(old, text, StringComparison.Ordinal);
            File.WriteAllText(path, text.Replace(old, changed, StringComparison.Ordinal));
            PreflightReport report = RunAt(folder.Path);
            PreflightFinding finding = Assert.Single(
                report.Findings, finding => finding.Id.StartsWith("config", StringComparison.Ordinal));
            Assert.Equal($"config.{id}", finding.Id);
            Assert.Contains(words, finding.Text, StringComparison.Ordinal);
            Assert.Equal(PreflightSeverity.Warning, finding.Severity);
        }

        File.WriteAllText(path, "{");
        Assert.Equal(PreflightSeverity.Warning, Finding(RunAt(folder.Path), "config").Severity);
    }

    [Fact]
    public void Tokenizers_and_templates_are_compared_where_both_are_known()
    {
        using TemporaryFolder ours = new();
        using TemporaryFolder theirs = new();
        File.WriteAllText(Path.Combine(ours.Path, "tokenizer.json"), "{}");
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(Norm());
        PreflightReport Look() => Preflight.Run(
            golden.Configuration, golden.Input, weights, candidate, theirs.Path, ours.Path);
        Assert.Equal("tokenizer: not known on both sides", Text(Look(), "tokenizer"));
        File.WriteAllText(Path.Combine(theirs.Path, "tokenizer.json"), "{}");
        Assert.Equal("tokenizer: equal", Text(Look(), "tokenizer"));
        File.WriteAllText(Path.Combine(theirs.Path, "tokenizer.json"), "{ }");
        Assert.Equal(PreflightSeverity.Warning, Finding(Look(), "tokenizer").Severity);
        File.WriteAllText(Path.Combine(ours.Path, "chat_template.jinja"), "a");
        File.WriteAllText(Path.Combine(theirs.Path, "chat_template.jinja"), "b");
        Assert.Equal(PreflightSeverity.Warning, Finding(Look(), "template").Severity);
    }

    private static PreflightFinding Finding(PreflightReport report, string id) =>
        Assert.Single(report.Findings, finding => finding.Id == id);

    private static string Text(PreflightReport report, string id) => Finding(report, id).Text;

    private MemoryDump Norm(string name = "model.norm")
    {
        MemoryDump dump = new();
        float[] values = golden.Floats["model.norm.output"];
        return name == "model.norm"
            ? dump.Add("model.norm.output", values, 48, 64)
            : dump.Add(name, values, 24, 2, 64);
    }

    private WeightState State(string name, float[] values, params long[] shape) =>
        Run(Norm().Add(name, values, shape)).Weights.Single(weight => weight.Name == name).State;

    private PreflightReport Run(MemoryDump dump, string map = "ringflash") => Preflight.Run(
        golden.Configuration,
        golden.Input,
        weights,
        new CandidateReader(golden.Configuration, golden.Input).Read(dump, CandidateReader.FindMap(map)),
        "nowhere/dump");

    private PreflightReport RunAt(string folder) => Preflight.Run(
        golden.Configuration,
        golden.Input,
        weights,
        new CandidateReader(golden.Configuration, golden.Input).Read(Norm()),
        folder);

    // The synthetic weights with one of them replaced.
    private sealed class MemorySource(SyntheticSource source, string name, float[] values) : IWeightSource
    {
        public string Description => source.Description;

        public IReadOnlyCollection<TensorInfo> Tensors => source.Tensors;

        public bool TryGetTensor(string wanted, out TensorInfo tensor) => source.TryGetTensor(wanted, out tensor!);

        public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
        {
            if (tensor.Name == name)
            {
                values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);
            }
            else
            {
                source.Read(tensor, firstElement, destination);
            }
        }

        public void ReadPanel(
            TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
            throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
