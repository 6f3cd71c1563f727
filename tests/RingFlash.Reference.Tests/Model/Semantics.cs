// Red means: the forward pass means something else than the published code: losses, padding, names of results, traces.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class Semantics : IDisposable
{
    private readonly WorkerPool workers = new(1);

    public void Dispose() => workers.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Losses_equal_a_plain_double_computation(int batch)
    {
        const int Tokens = 6;
        ModelConfiguration configuration = TinyModels.Read();
        long[] ids = TinyModels.Ids(configuration, batch * Tokens);
        long[] labels = TinyModels.Ids(configuration, ids.Length, 9);
        labels[0] = labels[2] = labels[^1] = -100;
        Run<float> run = RunOf(configuration, new ForwardInput(ids, batch) { Labels = labels });
        List<double> main = [], multiToken = [];
        for (int row = 0; row < batch; row++)
        {
            for (int t = 0; t < Tokens; t++)
            {
                int at = (row * Tokens) + t;
                if (t + 1 < Tokens)
                {
                    Add(main, run.Result.Logits, at, labels[at + 1]);
                }

                if (t + 2 < Tokens)
                {
                    Add(multiToken, run.Result.MultiTokenLogits!, at, labels[at + 2]);
                }
                else if (t + 1 == Tokens && row + 1 < batch)
                {
                    // Published quirk: the last position of a row is scored against label 1 of the next row.
                    Add(multiToken, run.Result.MultiTokenLogits!, at, labels[((row + 1) * Tokens) + 1]);
                }
            }
        }

        ForwardLosses losses = run.Result.Losses!;
        Assert.Equal(main.Average(), losses.Main, 1e-6 * main.Average());
        Assert.Equal(multiToken.Average(), losses.MultiToken!.Value, 1e-6 * multiToken.Average());
        Assert.Equal(main.Average() + (0.3 * multiToken.Average()), losses.Total, 1e-6 * losses.Total);

        // No labels, no loss; no MTP layer, no second one.
        Assert.Null(RunOf(configuration, new ForwardInput(ids, batch)).Result.Losses);
        ForwardInput withoutMultiToken = new(ids, batch) { Labels = labels, RunMultiToken = false };
        Assert.Equal(
            new ForwardLosses(losses.Main, losses.Main, null), RunOf(configuration, withoutMultiToken).Result.Losses);
    }

    [Fact]
    public void A_padded_query_looks_at_every_key_alike_and_no_real_query_at_padding()
    {
        const int Tokens = 9;
        ModelConfiguration configuration = TinyModels.Read();
        Run<float> run = RunOf(configuration, PaddedInputs.Of(configuration, [Tokens, 4]));
        int uniform = 0;
        foreach (string name in run.Taps.Names.Where(name => name.EndsWith(".weights", StringComparison.Ordinal)))
        {
            HostTensor<float> weights = run.Taps.Tensors[name];
            Assert.Equal("[2, 6, 9, 9]", weights.ToString());
            for (int row = 0; row < weights.Rows; row++)
            {
                int t = row % Tokens, padding = row / Tokens / 6 == 1 ? 5 : 0;
                float[] keys = weights.Row(row).ToArray();
                if (t < padding)
                {
                    Assert.All(keys, weight => Assert.Equal(1f / Tokens, weight));
                    uniform++;
                    continue;
                }

                Assert.All(keys[..padding], weight => Assert.Equal(0f, weight));
                Assert.All(keys[padding..(t + 1)], weight => Assert.True(weight > 0));
                Assert.All(keys[(t + 1)..], weight => Assert.Equal(0f, weight));
            }
        }

        Assert.Equal(3 * 6 * 5, uniform); // three layers, six heads, five padded positions
    }

    [Fact]
    public void The_row_of_the_padding_token_is_used_as_it_is()
    {
        ModelConfiguration configuration = TinyModels.Read();
        Assert.Equal(7, configuration.PadTokenId);
        Run<float> run = RunOf(configuration, new ForwardInput([7, 3, 7], 1));
        float[] row = new float[configuration.HiddenSize];
        TinyModels.Weights(configuration).WordEmbeddings.ReadRow(7, row);
        Assert.Contains(row, value => value != 0);
        Runs.AssertSameBits("first", row, run.Taps.Tensors["model.word_embeddings.output"].Row(0));
        Runs.AssertSameBits("last", row, run.Taps.Tensors["model.word_embeddings.output"].Row(2));
    }

    [Fact]
    public void A_mask_of_ones_and_no_mask_agree_and_default_positions_ignore_the_mask()
    {
        ModelConfiguration configuration = TinyModels.Read();
        long[] ids = TinyModels.Ids(configuration, 8), ones = [.. Enumerable.Repeat(1L, 8)];
        long[] positions = [0, 1, 2, 3, 4, 5, 6, 7];
        Run<float> plain = RunOf(configuration, new ForwardInput(ids, 1));
        Runs.AssertSameBits(plain, RunOf(configuration, new ForwardInput(ids, 1) { AttentionMask = ones }));
        Runs.AssertSameBits(plain, RunOf(configuration, new ForwardInput(ids, 1) { Positions = positions }));

        Run<float> padded = RunOf(configuration, new ForwardInput(ids, 1) { AttentionMask = [0, 0, 1, 1, 1, 1, 1, 1] });
        Runs.AssertSameBits("cos", plain.Single("model.rotary_emb.cos"), padded.Single("model.rotary_emb.cos"));
        Assert.NotEqual(plain.Single("lm_head.output"), padded.Single("lm_head.output"));

        ForwardInput wrong = new(ids, 1) { AttentionMask = [1, 1, 1] };
        Assert.Contains("8", Assert.Throws<ArgumentException>(() => RunOf(configuration, wrong)).Message);
    }

    [Fact]
    public void Inputs_whose_lengths_do_not_fit_are_refused()
    {
        // Each would otherwise run and give numbers that mean nothing, or fail somewhere inside an operator.
        ModelConfiguration configuration = TinyModels.Read();
        long[] ids = TinyModels.Ids(configuration, 8);
        ForwardInput good = new(ids, 2) { Labels = ids, Positions = ids };
        Assert.NotNull(RunOf(configuration, good).Result.Losses);
        ForwardInput[] bad =
        [
            good with { Ids = ids[1..] }, good with { Batch = 0 }, good with { Ids = [] },
            good with { Labels = ids[4..] }, good with { Labels = [.. ids, .. ids] },
            good with { Positions = ids[4..] }, good with { LastLogitsOnly = true },
        ];
        foreach (ForwardInput input in bad)
        {
            Assert.Equal("input", Assert.Throws<ArgumentException>(() => RunOf(configuration, input)).ParamName);
        }

        KeyValueCache<float> cache = new(configuration, 1, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(-1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_cache_of_another_batch_is_refused(bool larger)
    {
        ModelConfiguration configuration = TinyModels.Read();
        KeyValueCache<float> cache = new(configuration, larger ? 3 : 1, 4);
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput input = new(TinyModels.Ids(configuration, 8), 2);
        Assert.Equal("input", Assert.Throws<ArgumentException>(() => model.Forward(input, cache)).ParamName);
        Assert.Equal(0, cache.Length);
    }

    [Fact]
    public void Names_are_exactly_those_of_the_golden_case()
    {
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-f32");
        ModelConfiguration configuration = ConfigurationReader.ReadFile(Path.Combine(folder, "config.json"));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        long[] ids = TinyModels.Ids(configuration, 2 * 3);
        Run<float> run = RunOf(configuration, new ForwardInput(ids, 2) { Labels = ids });
        string[] inputs = ["input_ids", "attention_mask", "position_ids", "labels"];
        Assert.Equal(
            file.Tensors.Select(tensor => tensor.Name).Except(inputs).Order(StringComparer.Ordinal),
            run.Taps.Names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Shapes_are_those_of_the_golden_case()
    {
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-f32");
        ModelConfiguration configuration = ConfigurationReader.ReadFile(Path.Combine(folder, "config.json"));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        long[] ids = TinyModels.Ids(configuration, 2 * 24);
        Run<float> run = RunOf(configuration, new ForwardInput(ids, 2) { Labels = ids });
        foreach ((string name, HostTensor<float> tensor) in run.Taps.Tensors)
        {
            Assert.Equal((name, file.RequireTensor(name).ShapeText), (name, tensor.ToString()));
        }
    }

    [Fact]
    public void Overwriting_a_result_changes_what_follows_and_nothing_else()
    {
        ModelConfiguration configuration = TinyModels.Read(("num_nextn_predict_layers", 0));
        ForwardInput one = new(TinyModels.Ids(configuration, 9, 1), 1);
        ForwardInput other = new(TinyModels.Ids(configuration, 9, 2), 1);
        Run<float> first = RunOf(configuration, one), second = RunOf(configuration, other);
        Assert.NotEqual(first.Result.Logits.Values, second.Result.Logits.Values);
        const string At = "model.layers.0.output";
        Recorder<float> recorder = new();
        recorder.Replacements.Add(At, first.Single(At));
        Run<float> spliced = RunOf(configuration, other, recorder);
        int place = spliced.Taps.Names.IndexOf(At);
        foreach ((string name, int index) in spliced.Taps.Names.Select((name, index) => (name, index)))
        {
            if (!spliced.Taps.Choices.ContainsKey(name))
            {
                Run<float> expected = index < place ? second : first;
                Runs.AssertSameBits(name, expected.Single(name), spliced.Single(name));
            }
        }

        Runs.AssertSameBits("logits", first.Result.Logits.Values, spliced.Result.Logits.Values);
    }

    [Fact]
    public void Every_result_that_something_reads_may_be_overwritten()
    {
        // Isolated feeding: put zeros wherever the trace is shown a result, and the logits must move.
        ModelConfiguration configuration = TinyModels.Read();
        ForwardInput input = new(TinyModels.Ids(configuration, 5), 1);
        Run<float> plain = RunOf(configuration, input);
        string[] ends = ["attention.weights", "margin", "lm_head.output", "mtp.0.logits", "topk_idx"];
        int tried = 0;
        foreach (string name in plain.Taps.Names.Where(
            name => !ends.Any(end => name.EndsWith(end, StringComparison.Ordinal))))
        {
            Recorder<float> recorder = new();
            recorder.Replacements.Add(name, new float[plain.Single(name).Length]);
            Run<float> changed = RunOf(configuration, input, recorder);

            // The output of an MTP layer is shown twice under two names, as in the golden format; both lead on.
            Assert.False(
                plain.Result.Logits.Values.SequenceEqual(changed.Result.Logits.Values)
                    && plain.Result.MultiTokenLogits!.Values.SequenceEqual(changed.Result.MultiTokenLogits!.Values),
                $"overwriting {name} changed nothing");
            tried++;
        }

        Assert.Equal(plain.Taps.Names.Count - 3 - 2 - 2 - 2, tried);
    }

    [Fact]
    public void An_overwritten_decision_is_obeyed()
    {
        ModelConfiguration configuration =
            TinyModels.Read(("first_k_dense_replace", 0), ("num_nextn_predict_layers", 0));
        ForwardInput input = new(TinyModels.Ids(configuration, 3), 1);
        DecisionForcer forcer = new();
        ModelWeights weights = TinyModels.Weights(configuration);
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Vector512, workers);
        new RingFlashModel<float>(configuration, weights, operators).Forward(input, null, forcer);

        // Expert 4 alone, with weight 1: what the routed block gives is that expert's own output.
        Reference.Operators.ExpertWeights expert = weights.Layer(0).Experts!.Expert(4);
        HostTensor<float> x = forcer.Input!;
        HostTensor<float> activated = operators.SwiGlu(
            operators.LinearProjection(x, expert.Gate, []), operators.LinearProjection(x, expert.Up, []));
        HostTensor<float> expected = operators.LinearProjection(activated, expert.Down, []);
        Runs.AssertSameBits("routed", expected.Values, forcer.Routed!.Values);
    }

    [Fact]
    public void A_pass_without_a_trace_forms_no_names()
    {
        ModelConfiguration configuration = TinyModels.Read();
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput input = new(TinyModels.Ids(configuration, 2), 1);
        IndifferentTrace trace = new();
        model.Forward(input); // experts are bound, and tensors made, on first use
        long without = Allocated(null), with = Allocated(trace);
        Assert.True(trace.Seen > 50);

        // A name has more than twenty characters of two bytes; a trace that keeps nothing costs them and its tensors.
        Assert.Equal(0, without);
        Assert.InRange(with, trace.Seen * 40, trace.Seen * 3000);

        long Allocated(ForwardTrace<float>? used)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            model.Forward(input, null, used);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static void Add(List<double> losses, HostTensor<float> logits, int position, long label)
    {
        if (label != -100)
        {
            double[] row = Array.ConvertAll(logits.Row(position).ToArray(), value => (double)value);
            losses.Add(Math.Log(row.Sum(Math.Exp)) - row[label]);
        }
    }

    private Run<float> RunOf(ModelConfiguration configuration, ForwardInput input, Recorder<float>? recorder = null) =>
        Runs.Of(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
            input,
            recorder: recorder);

    /// <summary>Sends every token of layer 0 to expert 4 with all the weight.</summary>
    private sealed class DecisionForcer : ForwardTrace<float>
    {
        public HostTensor<float>? Input { get; private set; }

        public HostTensor<float>? Routed { get; private set; }

        public override void Tap(string name, HostTensor<float> tensor)
        {
            Input = name == "model.layers.0.post_attention_layernorm.output" ? tensor : Input;
            Routed = name == "model.layers.0.mlp.routed.output" ? tensor : Routed;
        }

        public override void TapDecision(string name, RouterDecision<float> decision)
        {
            for (int index = 0; index < decision.TopKIndices.Length; index++)
            {
                decision.TopKIndices[index] = index % decision.TopK == 0 ? 4 : index % decision.TopK;
                decision.TopKWeights.Values[index] = index % decision.TopK == 0 ? 1f : 0f;
            }
        }
    }

    private sealed class IndifferentTrace : ForwardTrace<float>
    {
        public int Seen { get; private set; }

        public override void Tap(string name, HostTensor<float> tensor) => Seen++;

        public override void TapDecision(string name, RouterDecision<float> decision) => Seen++;

        public override bool Wants(string name) => false;
    }
}
