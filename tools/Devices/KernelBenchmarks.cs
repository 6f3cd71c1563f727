using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Devices;

/// <summary>
/// Kernels at the published sizes against their floors. Each is checked against the host first, on a few rows of a set
/// that is timed later; sets are rotated, so that nothing is read from a cache.
/// </summary>
internal sealed partial class KernelBenchmarks(
    KernelHost host, DeviceCeilings ceilings, MeasuredCeilings limits, bool isRehearsal) : IDisposable
{
    /// <summary>What the sets of a case take together: several times the second-level cache of any card.</summary>
    private const long BytesOfAllSets = 1L << 30;

    private const int MostSets = 64;

    private readonly WorkerPool workers = new(Environment.ProcessorCount);
    private readonly List<Measurement> measurements = [];
    private readonly List<string> wrong = [];

    /// <summary>Runs all.</summary>
    /// <returns>The section.</returns>
    public ReportSection Run()
    {
        ModelConfiguration model = BuiltInConfigurations.Get("ring-flash-2.0").Configuration;
        int hidden = isRehearsal ? 128 : model.HiddenSize, prompt = isRehearsal ? 3 : 4096;
        int queryKeyValue = isRehearsal ? 40 : model.QueryKeyValueWidth;
        int inner = isRehearsal ? 64 : model.IntermediateSize;
        int vocabulary = isRehearsal ? 70 : model.VocabularySize;
        foreach (int tokens in new[] { 1, prompt })
        {
            Rowwise("RmsNorm", tokens, hidden, 2, (x, other, y) =>
                RmsNorm.Launch<Float32Precision>(host, x, other.SubView(0, hidden), 1e-6f, y), (x, other, y) =>
                RmsNorm.Apply<Float32Precision>(ExecutionEngine.Vector512, x, other.AsSpan(0, hidden), 1e-6f, y));
            Rowwise("ResidualAdd", tokens, hidden, 3, (x, other, y) =>
                ResidualAdd.Launch<Float32Precision>(host, x, other, y), (x, other, y) =>
                ResidualAdd.Apply<Float32Precision>(ExecutionEngine.Vector512, x, other, y));
            Rowwise("SwiGlu", tokens, inner, 3, (x, other, y) =>
                SwiGlu.Launch<Float32Precision>(host, x, other, y), (x, other, y) =>
                SwiGlu.Apply<Float32Precision>(ExecutionEngine.Vector512, x, other, y));
            Router(model, tokens);
            Embedding(model, tokens);
        }

        Attention(model, tokens: 1, past: isRehearsal ? 5 : 4095);
        Attention(model, tokens: 1, past: isRehearsal ? 140 : 32767);
        Attention(model, tokens: isRehearsal ? 3 : 1024, past: 0);
        Loss(model, isRehearsal ? 3 : 256);

        foreach (ElementType type in new[] { ElementType.BFloat16, ElementType.Float8E4M3 })
        {
            Projection(type, 1, hidden, queryKeyValue, fast: false);
            Projection(type, 1, inner, hidden, fast: false);
            Projection(type, isRehearsal ? 2 : 512, hidden, queryKeyValue, fast: false);
            Projection(type, prompt, hidden, queryKeyValue, fast: true);
            Projection(type, prompt, inner, hidden, fast: true);
            Experts(model, type, 1, fast: false);
            Experts(model, type, prompt, fast: false);
            Experts(model, type, isRehearsal ? 1 : prompt, fast: true);
        }

        Projection(ElementType.BFloat16, 1, hidden, vocabulary, fast: false);
        return new ReportSection("kernels", wrong.Count == 0 && measurements.Count > 0, wrong, measurements);
    }

    /// <inheritdoc/>
    public void Dispose() => workers.Dispose();

    private void Rowwise(
        string name,
        int tokens,
        int width,
        int arrays,
        Action<ArrayView<float>, ArrayView<float>, ArrayView<float>> launch,
        Action<float[], float[], float[]> expect)
    {
        int length = tokens * width;
        double bytes = (double)arrays * sizeof(float) * length;
        int sets = Sets(bytes);
        using DeviceSets inputs = new(host, sets, length, 3);
        launch(inputs.View(0, 0), inputs.View(0, 1), inputs.View(0, 2));
        float[] expected = new float[length];
        expect(inputs.Values(0, 0), inputs.Values(0, 1), expected);
        bool same = SameBits(expected, inputs.Values(0, 2));
        Add(
            name,
            string.Create(CultureInfo.InvariantCulture, $"{tokens} x {width}"),
            same ? "bits of vector512" : null,
            "bytes",
            bytes,
            limits.BytesPerSecond,
            1e9,
            "GB/s",
            i => launch(inputs.View(i % sets, 0), inputs.View(i % sets, 1), inputs.View(i % sets, 2)));
    }

    private void Projection(ElementType type, int tokens, int inputs, int outputs, bool fast)
    {
        double weightBytes = (double)inputs * outputs * (type == ElementType.BFloat16 ? 2 : 1);
        double operations = 2.0 * tokens * inputs * outputs;
        int sets = Sets(weightBytes);
        TensorInfo[] tensors = [.. Enumerable.Range(0, sets).Select(set => new TensorInfo(
            string.Create(CultureInfo.InvariantCulture, $"model.layers.{set}.attention.query_key_value.weight"),
            type,
            [outputs, inputs]))];
        SyntheticSource source = new("benchmark", 1, tensors);
        WeightMatrix[] matrices = [.. tensors.Select(tensor => MatrixOf(source, tensor))];
        DeviceWeight[] weights = [.. matrices.Select(matrix => DeviceWeight.Upload(host, matrix, workers))];
        try
        {
            using DeviceSets rows = new(host, 1, tokens * Math.Max(inputs, outputs), 2);
            ArrayView<float> x = rows.View(0, 0).SubView(0, tokens * inputs);
            ArrayView<float> y = rows.View(0, 1).SubView(0, tokens * outputs);
            using MemoryBuffer1D<uint, Stride1D.Dense> scratch = host.Accelerator.Allocate1D<uint>(
                fast ? LinearProjection.TensorCoreScratch<BFloat16Precision>(tokens, inputs) : 1);
            void Launch(int i)
            {
                if (fast)
                {
                    LinearProjection.LaunchTensorCores<BFloat16Precision>(
                        host, x, weights[i % sets], default, scratch.View.BaseView, y);
                }
                else
                {
                    LinearProjection.Launch<Float32Precision>(host, x, weights[i % sets], default, y);
                }
            }

            Launch(0);
            float[] input = rows.Values(0, 0), output = rows.Values(0, 1);
            bool right = new[] { 0, tokens - 1 }.All(token => IsRight(
                input.AsSpan(token * inputs, inputs).ToArray(),
                matrices[0],
                output.AsSpan(token * outputs, outputs).ToArray(),
                fast));
            bool byBytes = weightBytes / limits.BytesPerSecond
                > operations / (fast ? limits.MatrixPerSecond : limits.FusedPerSecond);
            (double amount, double limit) = byBytes
                ? (weightBytes, limits.BytesPerSecond)
                : (operations, fast ? limits.MatrixPerSecond : limits.FusedPerSecond);
            Add(
                $"LinearProjection {(fast ? "mma " : "")}{(type == ElementType.BFloat16 ? "bf16" : "FP8")}",
                string.Create(CultureInfo.InvariantCulture, $"{tokens} x {inputs} -> {outputs}"),
                right ? fast ? "within budget" : "bits of vector512" : null,
                byBytes ? "bytes" : fast ? "mma" : "fma",
                amount,
                limit,
                byBytes ? 1e9 : 1e12,
                byBytes ? "GB/s" : "Tflop/s",
                Launch);
        }
        finally
        {
            foreach (DeviceWeight weight in weights)
            {
                weight.Dispose();
            }
        }
    }

    private static WeightMatrix MatrixOf(SyntheticSource source, TensorInfo tensor) =>
        tensor.ElementType == ElementType.Float8E4M3
            ? new SyntheticFloat8Matrix(source, tensor)
            : new SourceMatrix(source, tensor, roundToBFloat16: false);

    private bool IsRight(float[] x, WeightMatrix matrix, float[] y, bool fast)
    {
        if (!fast)
        {
            float[] expected = new float[y.Length];
            LinearProjection.Apply<Float32Precision>(ExecutionEngine.Vector512, workers, x, matrix, [], expected);
            return SameBits(expected, y);
        }

        // Inputs are rounded as they enter; the gauge of n is Σ|x·W|, at most max|x| times the sum of |W|.
        double[] rounded = [.. x.Select(value => (double)BFloat16.Round(value))], exact = new double[y.Length];
        float[] row = new float[matrix.Inputs];
        LinearProjection.Exact(workers, rounded, matrix, [], exact);
        double units = LinearProjection.TensorCoreUnits<BFloat16Precision>(matrix.Inputs) / (1 << 24);
        for (int n = 0; n < y.Length; n++)
        {
            matrix.ReadRow(n, row);
            double gauge = 0;
            for (int k = 0; k < row.Length; k++)
            {
                gauge += Math.Abs(rounded[k] * row[k]);
            }

            double rounding = BFloat16Precision.UnitRoundoff;
            if (!(Math.Abs(y[n] - exact[n]) <= (units * gauge * (1 + rounding)) + (rounding * Math.Abs(exact[n]))))
            {
                return false;
            }
        }

        return true;
    }

    private void Add(
        string name,
        string size,
        string? check,
        string floor,
        double amount,
        double limit,
        double unit,
        string word,
        Action<int> launch)
    {
        if (check is null)
        {
            wrong.Add($"{name} {size}: wrong, not timed");
            return;
        }

        double[] seconds = ceilings.Time(launch);
        double median = seconds[seconds.Length / 2];
        measurements.Add(isRehearsal
            ? new Measurement(name, size, check, null, null, null, floor, null, null, word)
            : new Measurement(
                name,
                size,
                check,
                median,
                seconds[seconds.Length / 4],
                seconds[seconds.Length * 3 / 4],
                floor,
                amount / limit / median,
                amount / median / unit,
                word));
    }

    private int Sets(double bytes) => isRehearsal ? 2 : (int)Math.Clamp(BytesOfAllSets / bytes, 2, MostSets);

    private static bool SameBits(float[] expected, float[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(expected[i]) != BitConverter.SingleToUInt32Bits(actual[i]))
            {
                return false;
            }
        }

        return expected.Length > 0;
    }
}
