using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Devices;

/// <summary>
/// The model with synthetic weights that the device makes itself: tokens per second of a prompt and of decoding, one
/// stream. FP8: the whole configuration if the card holds it; bf16: as many layers as fit.
/// </summary>
internal sealed class ModelBenchmarks(KernelHost host, MeasuredCeilings limits, bool isRehearsal)
{
    private const double ShareForWeights = 0.8;

    /// <summary>Runs one of the two.</summary>
    /// <param name="fp8">Block FP8 or bfloat16.</param>
    /// <returns>The section.</returns>
    public ReportSection Run(bool fp8)
    {
        ModelConfiguration whole = BuiltInConfigurations.Get("ring-flash-2.0").Configuration with
        {
            NextTokenPredictionLayerCount = 0,
            Quantization = fp8 ? new QuantizationConfiguration() : null,
        };
        whole = isRehearsal ? Small(whole) : whole;
        ModelConfiguration model = whole with { DeclaredLayerCount = LayersThatFit(whole, fp8) };
        using WorkerPool workers = new(Environment.ProcessorCount);
        SyntheticSource source = new("benchmark", 1, [.. TensorCatalog.For(model)]);
        ModelWeights weights = new(source, model, roundToBFloat16: true);
        List<Measurement> measurements = [];
        List<string> lines = [];
        foreach (bool fast in new[] { false, true })
        {
            DeviceOperators<BFloat16Precision> operators = new(host, workers) { TensorCores = fast };
            long start = Stopwatch.GetTimestamp();
            long held = operators.Upload(weights);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            lines.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{model.LayerCount} of {whole.LayerCount} layers, {(fast ? "tensor cores for prompts" : "exact")}")
                + (isRehearsal
                    ? string.Empty
                    : string.Create(CultureInfo.InvariantCulture, $", {held / 1e9:F1} GB made in {seconds:F1} s")));
            Measure(model, weights, operators, fast, fp8, measurements);
            operators.Release();
        }

        bool finite = measurements.All(measured => measured.Check == "finite");
        return new ReportSection(fp8 ? "model, FP8" : "model, bf16", finite, lines, measurements);
    }

    private void Measure(
        ModelConfiguration model,
        ModelWeights weights,
        DeviceOperators<BFloat16Precision> operators,
        bool fast,
        bool fp8,
        List<Measurement> measurements)
    {
        int prompt = isRehearsal ? 64 : 4096, steps = isRehearsal ? 1 : 64;
        RingFlashModel<float> forward = new(model, weights, operators);
        using KeyValueCache<float> cache = new(model, batch: 1, capacity: prompt + steps);
        string size = string.Create(CultureInfo.InvariantCulture, $"{prompt} tokens");
        List<double> seconds = [];
        float[] logits = [];
        for (int round = 0; round < (isRehearsal ? 1 : 4); round++)
        {
            cache.Truncate(0);
            seconds.Add(Once(() => logits = forward.Forward(Tokens(model, prompt, (ulong)round), cache).Logits.Values));
        }

        Add(fast ? "prefill, tensor cores" : "prefill, exact", size, seconds, prompt, logits, null, measurements);
        if (fast)
        {
            return; // decoding has one row: the same kernels
        }

        seconds.Clear();
        for (int step = 0; step < steps; step++)
        {
            seconds.Add(Once(() => logits =
                forward.Forward(Tokens(model, 1, 100 + (ulong)step), cache).Logits.Values));
        }

        // What a token must read: every weight that it uses, once.
        double active = ParameterCounts.For(model).ActiveWithEmbeddings
            - ((double)model.VocabularySize * model.HiddenSize);
        Add(
            "decode",
            string.Create(CultureInfo.InvariantCulture, $"after {prompt}"),
            seconds,
            1,
            logits,
            active * (fp8 ? 1 : 2) / limits.BytesPerSecond,
            measurements);
    }

    private void Add(
        string name,
        string size,
        List<double> seconds,
        int tokens,
        float[] logits,
        double? floor,
        List<Measurement> measurements)
    {
        double[] sorted = [.. seconds.Skip(isRehearsal ? 0 : 1).Order()]; // the first one compiles
        double median = sorted[sorted.Length / 2];
        string check = logits.Length > 0 && logits.All(float.IsFinite) ? "finite" : "NOT FINITE";
        measurements.Add(isRehearsal
            ? new Measurement(name, size, check, null, null, null, "", null, null, "tokens/s")
            : new Measurement(
                name,
                size,
                check,
                median,
                sorted[sorted.Length / 4],
                sorted[sorted.Length * 3 / 4],
                floor is null ? "" : "bytes",
                floor / median,
                tokens / median,
                "tokens/s"));
    }

    private int LayersThatFit(ModelConfiguration whole, bool fp8)
    {
        if (isRehearsal)
        {
            return whole.DeclaredLayerCount;
        }

        double room = host.Accelerator.MemorySize * ShareForWeights, bytes = fp8 ? 1 : 2;
        double Bytes(int layers) =>
            (ParameterCounts.For(whole with { DeclaredLayerCount = layers }).Total * bytes)
            + (2.0 * whole.VocabularySize * whole.HiddenSize * (2 - bytes));
        int layers = whole.DeclaredLayerCount;
        while (layers > whole.FirstDenseLayerCount + 1 && Bytes(layers) > room)
        {
            layers--;
        }

        return layers;
    }

    private static double Once(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static ForwardInput Tokens(ModelConfiguration model, int count, ulong seed) => new(
        [.. Enumerable.Range(0, count).Select(index =>
            (long)SyntheticSource.InputId(seed, index, model.VocabularySize))],
        Batch: 1)
    {
        LastLogitsOnly = true,
    };

    private static ModelConfiguration Small(ModelConfiguration whole) => whole with
    {
        DeclaredLayerCount = 2,
        FirstDenseLayerCount = 1,
        HiddenSize = 32,
        IntermediateSize = 32,
        ExpertIntermediateSize = 32,
        VocabularySize = 32,
        AttentionHeadCount = 1,
        KeyValueHeadCount = 1,
        HeadDimension = 128, // the rotary channels are half of it
        ExpertCount = 8,
        GroupCount = 2,
        ChosenGroupCount = 1,
        ExpertsPerToken = 2,
    };
}
