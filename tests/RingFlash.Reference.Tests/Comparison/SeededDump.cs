// Red here means that the dumps of the tests below are not what they say; no product defect.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Verification;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>A small random model, and what a program that runs it, rightly or not, dumped.</summary>
internal sealed class SeededDump : IDisposable
{
    /// <summary>What real dumps hold, from much to little.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> TapSets = new Dictionary<string, string[]>
    {
        ["boundaries"] =
        [
            "model.word_embeddings.output", "#.attention.dense.output", "#.mlp.gate.topk_idx",
            "#.mlp.gate.topk_weight", "#.mlp.output", "#.output", "model.norm.output", "lm_head.output",
        ],
        ["blocks"] = ["#.attention.dense.output", "#.mlp.output", "#.output", "lm_head.output"],
        ["layers"] = ["model.word_embeddings.output", "#.output", "model.norm.output", "lm_head.output"],
        ["logits"] = ["lm_head.output"],
    };

    private readonly WorkerPool workers = new(1);

    public SeededDump(
        ulong seed,
        bool isBFloat16,
        string tapSet,
        Func<WorkerPool, Func<int>, ForwardOperators<float>> operators,
        bool storesFloat32 = false)
    {
        string json = OracleCase.Configuration(
            ("num_hidden_layers", "3"),
            ("num_nextn_predict_layers", "0"),
            ("use_qkv_bias", seed % 2 == 0 ? "true" : "false"),
            ("num_experts", seed % 3 == 0 ? "32" : "16"),
            ("hidden_size", seed % 2 == 0 ? "48" : "64"));
        ModelConfiguration configuration = ConfigurationReader.Read(Encoding.UTF8.GetBytes(json), "config.json");
        SyntheticSource source = new($"synthetic:{seed}", seed, TensorCatalog.For(configuration));
        const int Batch = 2, Tokens = 12;
        long[] ids = [.. Enumerable.Range(0, Batch * Tokens)
            .Select(index => (long)SyntheticSource.InputId(seed, index, configuration.VocabularySize))];
        ForwardInput input = new(ids, Batch);
        Reference = ComparisonReference.FromModel("test", configuration, source, input);
        Dumper dumper = new(TapSets[tapSet], isBFloat16 && !storesFloat32, configuration.LayerCount);
        RingFlashModel<float> model = new(
            configuration,
            new ModelWeights(source, configuration, isBFloat16),
            operators(workers, () => dumper.Layer));
        model.Forward(Reference.Input, null, dumper);
        Candidate = new Candidate { Description = "memory", Taps = dumper.Taps };
    }

    public ComparisonReference Reference { get; }

    public Candidate Candidate { get; }

    public static SeededDump Of(ulong seed, bool isBFloat16, string tapSet, string mistake, int layer) => new(
        seed,
        isBFloat16,
        tapSet,
        (workers, current) => isBFloat16
            ? new Twin<BFloat16Precision>(ExecutionEngine.Vector512, workers, mistake, () => current() >= layer)
            : new Twin<Float32Precision>(ExecutionEngine.Vector512, workers, mistake, () => current() >= layer));

    public ComparisonReport Compare(ComparisonOptions? options = null) =>
        CandidateComparer.Run(Reference, Candidate, options ?? new ComparisonOptions());

    public void Dispose()
    {
        workers.Dispose();
        Reference.Dispose();
    }

    /// <summary>Keeps what a real dump of a tap set would hold.</summary>
    internal sealed class Dumper(string[] kinds, bool asBFloat16, int layers) : ForwardTrace<float>
    {
        private readonly HashSet<string> wanted = [.. kinds.SelectMany(kind => kind[0] == '#'
            ? Enumerable.Range(0, layers).Select(layer => string.Create(
                CultureInfo.InvariantCulture, $"model.layers.{layer}{kind[1..]}"))
            : [kind])];

        public Dictionary<string, CandidateTap> Taps { get; } = [];

        public int Layer { get; private set; } = -1;

        public override bool Wants(string name) => false;

        public override void Tap(string name, HostTensor<float> tensor)
        {
            Keep(name, tensor, asBFloat16 && !name.Contains(".gate.", StringComparison.Ordinal));
            if (name == "model.word_embeddings.output")
            {
                Layer = 0;
            }
            else if (name == DataFlow.LayerOutput(Layer))
            {
                Layer++;
            }
        }

        public override void TapDecision(string name, RouterDecision<float> decision)
        {
            string choice = $"{name}.topk_idx";
            if (wanted.Contains(choice))
            {
                float[] values = [.. decision.TopKIndices.Select(index => (float)index)];
                Taps[choice] =
                    new ArrayTap(choice, ElementType.Int64, [decision.TopKWeights.Rows, decision.TopK], values);
            }

            Keep($"{name}.topk_weight", decision.TopKWeights, false);
        }

        private void Keep(string name, HostTensor<float> tensor, bool rounded)
        {
            if (wanted.Contains(name))
            {
                Taps[name] = new ArrayTap(
                    name,
                    rounded ? ElementType.BFloat16 : ElementType.Float32,
                    [.. tensor.Shape.ToArray().Select(axis => (long)axis)],
                    [.. tensor.Values.Select(value => rounded ? BFloat16.Round(value) : value)]);
            }
        }
    }
}
