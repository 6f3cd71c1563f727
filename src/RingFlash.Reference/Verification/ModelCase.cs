using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>Runs a case of kind <c>model</c>: one forward pass, all taps.</summary>
internal static class ModelCase
{
    /// <summary>Runs.</summary>
    /// <param name="context">The case and where it goes.</param>
    public static void Run(CaseContext context)
    {
        GoldenCase golden = context.Golden;
        ModelConfiguration configuration = RequireConfiguration(golden);
        using IWeightSource owned = golden.OpenWeights(configuration);
        TimedWeightSource weights = new(owned);
        TensorCatalog.Check(configuration, weights);
        WarnOfNonFinite(context);
        if (golden.IsOwnCapture)
        {
            context.Recorder.AddNote(
                "captured from RingFlash.Reference itself: agreement shows that nothing has changed, not that it is "
                + "right");
        }

        CompareDequantised(context, weights);
        CompareRotary(context, configuration);
        RotaryCase.AddNote(context, configuration.Rotary);

        long[] ids = golden.RequireIntegers("input_ids", out IReadOnlyList<long> shape);
        CheckIds(golden, ids, shape, configuration);
        ForwardInput input = new(ids, (int)shape[0])
        {
            Positions = Aligned(golden, "position_ids", shape),
            AttentionMask = Mask(golden, shape),
            Labels = Aligned(golden, "labels", shape),
        };
        golden.CheckValues(
            "labels",
            input.Labels,
            label => label == CrossEntropy.IgnoreIndex || (label >= 0 && label < configuration.VocabularySize),
            $"a label is a token id below {configuration.VocabularySize}, or {CrossEntropy.IgnoreIndex}");

        MeasuredOperators operators = context.Measured();
        TimedTrace trace = new(context, weights, operators, input, configuration);
        ModelWeights modelWeights = new(weights, configuration, golden.Precision == "bfloat16");
        using (context.KeepWeights(modelWeights, configuration, (int)shape[0], (int)shape[1], cacheCapacity: 0))
        {
            RingFlashModel<float> model = new(configuration, modelWeights, operators);
            model.Forward(input, null, trace);
        }

        context.WeightTime = weights.Elapsed;
        context.CompareTime = trace.CompareTime;
    }

    /// <summary>The case's configuration.</summary>
    /// <param name="golden">The case.</param>
    /// <returns>The configuration.</returns>
    /// <exception cref="InvalidInputException">There is none.</exception>
    public static ModelConfiguration RequireConfiguration(GoldenCase golden) => golden.Configuration
        ?? throw new EnvironmentException(
            Path.Combine(golden.Folder, "config.json"), "no such file, and the case needs it");

    /// <summary>Checks the shape and the range of token ids, and that activations for them fit into memory.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="ids">The ids.</param>
    /// <param name="shape">Their axes.</param>
    /// <param name="configuration">The configuration.</param>
    public static void CheckIds(
        GoldenCase golden, long[] ids, IReadOnlyList<long> shape, ModelConfiguration configuration)
    {
        if (shape.Count != 2 || ids.Length == 0)
        {
            throw new InvalidInputException(
                golden.File.Description, "input_ids", "[batch, tokens] with at least one token is required");
        }

        CheckVocabulary(golden, "input_ids", ids, configuration);
        double widest = new[]
        {
            (double)configuration.VocabularySize,
            configuration.IntermediateSize,
            (double)configuration.HiddenSize * Math.Max(2, configuration.ExpertsPerToken),
            configuration.QueryKeyValueWidth,
            (double)configuration.ExpertIntermediateSize * configuration.ExpertsPerToken,
            (double)configuration.AttentionHeadCount * shape[1],
        }.Max();
        if (ids.Length * widest > Array.MaxLength)
        {
            throw new InvalidInputException(
                golden.File.Description,
                "input_ids",
                $"{ids.Length} tokens of up to {widest} values fit no array, the limit is {Array.MaxLength}");
        }
    }

    /// <summary>Checks that values are token ids.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="ids">The ids.</param>
    /// <param name="configuration">The configuration.</param>
    public static void CheckVocabulary(
        GoldenCase golden, string name, long[] ids, ModelConfiguration configuration) =>
        golden.CheckValues(
            name,
            ids,
            id => id >= 0 && id < configuration.VocabularySize,
            $"a token id lies in the vocabulary of {configuration.VocabularySize}");

    /// <summary>The attention mask of a case.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="shape">The axes of the ids.</param>
    /// <returns>[batch, tokens]; null when the case has none.</returns>
    public static long[]? Mask(GoldenCase golden, IReadOnlyList<long> shape)
    {
        const string Name = "attention_mask";
        long[]? mask = Aligned(golden, Name, shape);

        // The published mask hides every number but 1; what another number should mean is anybody's guess.
        golden.CheckValues(Name, mask, value => value is 0 or 1, "a mask holds 0 for padding and 1 for tokens");
        return mask;
    }

    /// <summary>An integer input with one value per token.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="shape">The axes of the ids.</param>
    /// <returns>[batch, tokens]; null when the case has none.</returns>
    public static long[]? Aligned(GoldenCase golden, string name, IReadOnlyList<long> shape)
    {
        if (!golden.File.TryGetTensor(name, out TensorInfo? tensor))
        {
            return null;
        }

        bool broadcast = tensor.Shape.Count == 2 && tensor.Shape[0] == 1 && tensor.Shape[1] == shape[1];
        if (!broadcast && !tensor.Shape.SequenceEqual(shape))
        {
            throw new InvalidInputException(
                golden.File.Description,
                name,
                $"shape {tensor.ShapeText}, but input_ids has {TensorInfo.FormatShape(shape)}");
        }

        long[] values = golden.File.ReadInt64(tensor);
        return tensor.Shape[0] == shape[0]
            ? values
            : [.. Enumerable.Repeat(values, (int)shape[0]).SelectMany(row => row)];
    }

    /// <summary>
    /// A stored weight may hold NaN or infinity; the reader should know before wondering about the verdict.
    /// </summary>
    private static void WarnOfNonFinite(CaseContext context)
    {
        SafetensorsFile file = context.Golden.File;
        foreach (TensorInfo tensor in WithPrefix(file, "weights."))
        {
            long count = file.CountNonFinite(tensor);
            if (count > 0)
            {
                context.Recorder.AddNote($"warning: {tensor.Name} holds {count} values that are NaN or infinite");
            }
        }
    }

    /// <summary>Dequantised samples of block-FP8 weights: float32(code) · scale is exact to the bit.</summary>
    private static void CompareDequantised(CaseContext context, IWeightSource weights)
    {
        const string Prefix = "dequantized.";
        foreach (TensorInfo tap in WithPrefix(context.Golden.File, Prefix))
        {
            if (!context.Recorder.Wants(tap.Name, out _))
            {
                continue;
            }

            TensorInfo codes = weights.RequireTensor(tap.Name[Prefix.Length..]);
            Float8BlockMatrix matrix = new(weights, codes, weights.RequireTensor(codes.Name + "_scale_inv"));
            float[] ours = new float[matrix.Outputs * matrix.Inputs];
            for (int row = 0; row < matrix.Outputs; row++)
            {
                matrix.ReadRow(row, ours.AsSpan(row * matrix.Inputs, matrix.Inputs));
            }

            context.Recorder.Add(CompareExact(tap, "Float8BlockMatrix", ours, context.Golden));
        }
    }

    private static IEnumerable<TensorInfo> WithPrefix(SafetensorsFile file, string prefix) =>
        file.Tensors.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Frequencies and scaling where a case holds them.</summary>
    private static void CompareRotary(CaseContext context, ModelConfiguration configuration)
    {
        RotaryTable table = RotaryTable.For(configuration.Rotary);
        RotaryCase.CompareFrequencies(context, "model.rotary_emb", table);
    }

    /// <summary>Compares values that must be equal to the bit.</summary>
    /// <param name="tap">The tap.</param>
    /// <param name="name">The operator.</param>
    /// <param name="ours">Our values.</param>
    /// <param name="golden">The case.</param>
    /// <returns>The result.</returns>
    public static TapResult CompareExact(TensorInfo tap, string name, float[] ours, GoldenCase golden) =>
        TapComparison.Compare(
            tap.Name,
            ours,
            golden.File.ReadAllSingle(tap),
            [.. tap.Shape],
            _ => -1,
            _ => false,
            Origin.Of(name, 0, [], null, 0, 0),
            new TapComparison.Terms(false, false));

    /// <summary>The trace with a stopwatch around comparing and a word to the user at every layer.</summary>
    private sealed class TimedTrace : ForwardTrace<float>
    {
        private readonly GoldenTrace inner;
        private readonly TimedWeightSource weights;
        private readonly int threads;
        private readonly Action<string> progress;

        public TimedTrace(
            CaseContext context,
            TimedWeightSource weights,
            MeasuredOperators operators,
            ForwardInput input,
            ModelConfiguration configuration)
        {
            this.weights = weights;
            threads = context.Workers.ThreadCount;
            int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
            progress = name => ReportLayer(context, name, layers);
            inner = new GoldenTrace(context.Golden, context.Recorder, operators, context.Mode, input, progress);
        }

        public TimeSpan CompareTime { get; private set; }

        public override bool Wants(string name) => inner.Wants(name);

        public override void Tap(string name, HostTensor<float> tensor) => Timed(() => inner.Tap(name, tensor));

        public override void TapDecision(string name, RouterDecision<float> decision) =>
            Timed(() => inner.TapDecision(name, decision));

        private static void ReportLayer(CaseContext context, string name, int layers)
        {
            string[] parts = name.Split('.');
            if (parts is ["model", "layers", _, "input_layernorm", "output"])
            {
                int layer = int.Parse(parts[2], CultureInfo.InvariantCulture);
                context.Report($"layer {layer + 1} of {layers}", (double)layer / (layers + 1));
            }
            else if (name is "lm_head.output" or "model.norm.output")
            {
                context.Report(
                    name == "lm_head.output" ? "logits compared" : "logits", (double)(layers - 1) / (layers + 1));
            }
        }

        private void Timed(Action body)
        {
            // Gauges make weights too; those count as weights, not as comparing.
            TimeSpan before = weights.Elapsed;
            long start = Stopwatch.GetTimestamp();
            body();
            CompareTime += Stopwatch.GetElapsedTime(start) - ((weights.Elapsed - before) / threads);
        }
    }
}
