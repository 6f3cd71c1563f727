// Red here means that the dumps of the tests below are not what they say; no product defect.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Comparison;
using RingFlash.Reference.Tests.Verification;

namespace RingFlash.Reference.Tests.Diagnosis;

/// <summary>A small random model, and what a program that makes mistakes of the catalogue dumped of it.</summary>
internal sealed class MistakenDump : IDisposable
{
    private readonly WorkerPool workers = new(1);

    public MistakenDump(
        ulong seed,
        bool isBFloat16,
        string tapSet,
        params (Mistake Mistake, MistakeVariant Variant)[] mistakes)
        : this(seed, isBFloat16, tapSet, parts => mistakes.Aggregate(parts, (made, next) => next.Variant.Apply(made)))
    {
    }

    public MistakenDump(
        ulong seed,
        bool isBFloat16,
        string tapSet,
        Func<ModelParts, ModelParts> vary,
        params (string Key, string Value)[] changes)
    {
        string json = OracleCase.Configuration(
        [
            ("num_hidden_layers", "3"),
            ("num_nextn_predict_layers", "0"),
            ("use_qkv_bias", seed % 2 == 0 ? "true" : "false"),
            ("num_experts", seed % 3 == 0 ? "32" : "16"),
            ("n_group", "4"),
            ("topk_group", "2"),
            ("num_experts_per_tok", seed % 3 == 0 ? "4" : "3"),
            ("hidden_size", seed % 2 == 0 ? "48" : "64"),
            .. changes,
        ]);
        ModelConfiguration configuration = ConfigurationReader.Read(Encoding.UTF8.GetBytes(json), "config.json");
        SyntheticSource source = new($"synthetic:{seed}", seed, TensorCatalog.For(configuration));
        const int Batch = 2, Tokens = 12;
        long[] ids = [.. Enumerable.Range(0, Batch * Tokens)
            .Select(index => (long)SyntheticSource.InputId(seed, index, configuration.VocabularySize))];
        Reference = ComparisonReference.FromModel("test", configuration, source, new ForwardInput(ids, Batch));
        ForwardOperators<float> operators = isBFloat16
            ? new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
            : new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
        ModelParts parts = ModelParts.Of(configuration, source, operators, Reference.Input, isBFloat16);
        SeededDump.Dumper dumper = new(SeededDump.TapSets[tapSet], isBFloat16, configuration.LayerCount);
        vary(parts).Run(dumper);

        // As the reader of dumps does: what has other axes is no tap.
        foreach (string name in dumper.Taps.Keys.Where(name => name.Contains(".gate.", StringComparison.Ordinal)
            && dumper.Taps[name].Shape[^1] != configuration.ExpertsPerToken).ToArray())
        {
            dumper.Taps.Remove(name);
        }

        Candidate = new Candidate { Description = "memory", Taps = dumper.Taps };
    }

    public ComparisonReference Reference { get; }

    public Candidate Candidate { get; }

    public DiagnosisReport Diagnose(DiagnosisOptions? options = null) =>
        Diagnoser.Run(Reference, Candidate, options ?? new DiagnosisOptions());

    public void Dispose()
    {
        workers.Dispose();
        Reference.Dispose();
    }
}
