using System;
using System.Linq;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Devices;

/// <content>Attention, routed experts, the router, the embedding and the loss.</content>
internal sealed partial class KernelBenchmarks
{
    private void Attention(ModelConfiguration model, int tokens, int past)
    {
        AttentionShape shape = isRehearsal
            ? new(1, 4, 1, tokens, past, 8, past + tokens)
            : new(
                1,
                model.AttentionHeadCount,
                model.KeyValueHeadCount,
                tokens,
                past,
                model.HeadDimension,
                past + tokens);
        int held = shape.KeyValueHeads * shape.KeyTokens * shape.HeadDim, asked = shape.Heads * tokens * shape.HeadDim;
        double bytes = 2.0 * sizeof(float) * held;

        // Products with keys and with values; a token sees those before it and itself.
        double operations = 4.0 * shape.Heads * shape.HeadDim * tokens * (past + ((tokens + 1) / 2.0));
        int sets = Sets(bytes);
        using DeviceSets cache = new(host, sets, held, 2), rows = new(host, 1, asked, 2);
        using MemoryBuffer1D<float, Stride1D.Dense> scratch =
            host.Accelerator.Allocate1D<float>(CausalAttention.ScratchLength(shape, tokens));
        void Launch(int i) => CausalAttention.Launch<Float32Precision>(
            host,
            shape,
            rows.View(0, 0),
            cache.View(i % sets, 0),
            cache.View(i % sets, 1),
            default,
            rows.View(0, 1),
            default,
            scratch.View.BaseView);

        Launch(0);
        float[] expected = new float[asked];
        CausalAttention.Apply<Float32Precision>(
            ExecutionEngine.Vector512,
            workers,
            shape,
            rows.Values(0, 0),
            cache.Values(0, 0),
            cache.Values(0, 1),
            [],
            expected,
            []);
        Timed(
            "CausalAttention",
            $"{tokens} behind {past}",
            SameBits(expected, rows.Values(0, 1)) ? "bits of vector512" : null,
            bytes,
            operations,
            Launch);
    }

    private void Router(ModelConfiguration model, int tokens)
    {
        RouterShape shape = isRehearsal
            ? new(8, 2, 1, 2, 2.5f)
            : new(
                model.ExpertCount,
                model.GroupCount,
                model.ChosenGroupCount,
                model.ExpertsPerToken,
                (float)model.RoutedScalingFactor);
        Rowwise(
            "RouterScores",
            tokens,
            shape.Experts,
            2,
            (x, _, y) => RouterScores.Launch(host, x, y),
            (x, _, y) => RouterScores.Apply(ExecutionEngine.Vector512, x, y));
        int length = tokens * shape.Experts, chosen = tokens * shape.TopK;
        double bytes = sizeof(float) * ((double)length + (2.0 * chosen));
        int sets = Sets(bytes);
        using DeviceSets scores = new(host, sets, length, 1), others = new(host, 1, Math.Max(chosen, shape.Experts), 2);
        using MemoryBuffer1D<int, Stride1D.Dense> indices = host.Accelerator.Allocate1D<int>(chosen);
        void Launch(int i) => GroupLimitedTopK.Launch(
            host,
            shape,
            scores.View(i % sets, 0),
            others.View(0, 0).SubView(0, shape.Experts),
            indices.View.BaseView,
            others.View(0, 1).SubView(0, chosen),
            default);

        Launch(0);
        int[] expected = new int[chosen];
        float[] weights = new float[chosen], margins = new float[tokens];
        GroupLimitedTopK.Apply(
            ExecutionEngine.Vector512,
            shape,
            scores.Values(0, 0),
            others.Values(0, 0).AsSpan(0, shape.Experts),
            expected,
            weights,
            margins);
        bool same = expected.SequenceEqual(indices.GetAsArray1D()) && SameBits(weights, others.Values(0, 1)[..chosen]);
        Timed(
            "GroupLimitedTopK",
            $"{tokens} x {shape.Experts}",
            same ? "choice of vector512" : null,
            bytes,
            0,
            Launch);
    }

    private void Embedding(ModelConfiguration model, int tokens)
    {
        int vocabulary = isRehearsal ? 70 : model.VocabularySize, hidden = isRehearsal ? 128 : model.HiddenSize;
        TensorInfo tensor = new("model.word_embeddings.weight", ElementType.BFloat16, [vocabulary, hidden]);
        SourceMatrix matrix = new(new SyntheticSource("benchmark", 1, [tensor]), tensor, roundToBFloat16: false);
        using DeviceWeight table = DeviceWeight.Upload(host, matrix, workers);
        using DeviceSets rows = new(host, 1, tokens * hidden, 1);
        const int Lists = 8;
        long[][] ids = [.. Enumerable.Range(0, Lists).Select(set => Enumerable.Range(0, tokens)
            .Select(token => (((long)set * tokens) + token) * 7919 % vocabulary).ToArray())];
        using OwnedViews<long> places = new(host, ids);
        void Launch(int i) => TokenEmbedding.Launch(host, places[i % Lists], table, rows.View(0, 0));

        Launch(0);
        float[] expected = new float[tokens * hidden];
        TokenEmbedding.Scalar(ids[0], matrix, expected);
        Timed(
            "TokenEmbedding bf16",
            $"{tokens} x {hidden}",
            SameBits(expected, rows.Values(0, 0)) ? "the table's rows" : null,
            (2.0 + sizeof(float)) * tokens * hidden,
            0,
            Launch);
    }

    private void Loss(ModelConfiguration model, int tokens)
    {
        int vocabulary = isRehearsal ? 70 : model.VocabularySize, length = tokens * vocabulary;
        double bytes = (double)sizeof(float) * length;
        int sets = Sets(bytes);
        using DeviceSets logits = new(host, sets, length, 1), others = new(host, 1, Math.Max(4, tokens), 3);
        long[] targets = [.. Enumerable.Range(0, tokens).Select(token => token * 7919L % vocabulary)];
        using OwnedViews<long> places = new(host, [targets]);
        void Launch(int i) => CrossEntropy.Launch(
            host,
            logits.View(i % sets, 0),
            places[0],
            others.View(0, 0).SubView(0, tokens),
            others.View(0, 1).SubView(0, tokens),
            others.View(0, 2).SubView(0, 1));

        Launch(0);
        float expected = CrossEntropy.Apply(ExecutionEngine.Vector512, logits.Values(0, 0), targets);
        Timed(
            "CrossEntropy",
            $"{tokens} x {vocabulary}",
            SameBits([expected], others.Values(0, 2)[..1]) ? "bits of vector512" : null,
            bytes,
            0,
            Launch);
    }

    private void Experts(ModelConfiguration model, ElementType type, int tokens, bool fast)
    {
        int hidden = isRehearsal ? 128 : model.HiddenSize, inner = isRehearsal ? 64 : model.ExpertIntermediateSize;
        int count = isRehearsal ? 4 : model.ExpertCount, topK = isRehearsal ? 2 : model.ExpertsPerToken;
        TensorInfo[] tensors = [.. Enumerable.Range(0, count).SelectMany(expert => new[]
        {
            Tensor(expert, "gate", inner, hidden), Tensor(expert, "up", inner, hidden),
            Tensor(expert, "down", hidden, inner),
        })];
        SyntheticSource source = new("benchmark", 1, tensors);
        WeightMatrix[] matrices = [.. tensors.Select(tensor => MatrixOf(source, tensor))];
        using DeviceExperts experts = new(
            host, count, count, e => (matrices[3 * e], matrices[(3 * e) + 1], matrices[(3 * e) + 2]));
        foreach (DeviceExperts _ in experts.Batches(Enumerable.Range(0, count), workers))
        {
            // Being brought is all.
        }

        // A token's experts are neighbours; with few tokens the sets go round all of them.
        int sets = Math.Max(1, count / (tokens * topK)), assignments = tokens * topK;
        int[][] choices = [.. Enumerable.Range(0, sets).Select(set => Enumerable.Range(0, assignments)
            .Select(assignment => ((set * assignments) + assignment) % count).ToArray())];
        using OwnedViews<int> chosen = new(host, choices);
        using OwnedViews<int> lists = new(host, [new int[assignments], new int[assignments], new int[count + 1]]);
        using DeviceSets rows = new(host, 1, tokens * hidden, 1), results = new(host, 1, assignments * hidden, 1);
        using DeviceSets between = new(host, 1, assignments * inner, 2);
        using MemoryBuffer1D<uint, Stride1D.Dense> scratch = host.Accelerator.Allocate1D<uint>(
            RoutedExperts.TensorCoreScratch<BFloat16Precision>(tokens, topK, hidden, inner));
        RoutedExperts.ExpertRoom room = new(between.View(0, 0), between.View(0, 1), lists[0], lists[1], lists[2]);
        void Launch(int i)
        {
            if (fast)
            {
                RoutedExperts.LaunchTensorCores<BFloat16Precision>(
                    host,
                    rows.View(0, 0),
                    chosen[i % sets],
                    topK,
                    experts,
                    room,
                    scratch.View.BaseView,
                    results.View(0, 0));
            }
            else
            {
                RoutedExperts.Launch<Float32Precision>(
                    host, rows.View(0, 0), chosen[i % sets], topK, experts, room, results.View(0, 0));
            }
        }

        Launch(0);
        float[] actual = results.Values(0, 0);
        bool right = fast
            ? actual.All(float.IsFinite)
            : new[] { 0, tokens - 1 }.All(token => IsExpertRow(token, rows.Values(0, 0), actual));
        double weightBytes =
            3.0 * hidden * inner * Math.Min(count, assignments) * (type == ElementType.BFloat16 ? 2 : 1);
        Timed(
            $"RoutedExperts {(fast ? "mma " : "")}{(type == ElementType.BFloat16 ? "bf16" : "FP8")}",
            $"{tokens} x {topK} x {hidden} x {inner}",
            right ? fast ? "finite" : "bits of vector512" : null,
            weightBytes,
            6.0 * assignments * hidden * inner,
            Launch,
            fast);

        TensorInfo Tensor(int expert, string name, int outputs, int inputs) =>
            new($"model.layers.1.mlp.experts.{expert}.{name}_proj.weight", type, [outputs, inputs]);

        bool IsExpertRow(int token, float[] x, float[] y)
        {
            float[] expected = new float[topK * hidden];
            RoutedExperts.Apply<Float32Precision>(
                ExecutionEngine.Vector512,
                workers,
                quantiseActivations: false,
                x.AsSpan(token * hidden, hidden).ToArray(),
                ExpertDispatch.Group([.. choices[0].AsSpan(token * topK, topK)], topK, count),
                e => new ExpertWeights(matrices[3 * e], matrices[(3 * e) + 1], matrices[(3 * e) + 2]),
                expected);
            return SameBits(expected, y.AsSpan(token * topK * hidden, topK * hidden).ToArray());
        }
    }

    /// <summary>Adds a measurement against the nearer of two floors: bytes, or multiply-adds of one kind.</summary>
    private void Timed(
        string name,
        string size,
        string? check,
        double bytes,
        double operations,
        Action<int> launch,
        bool fast = false)
    {
        double perSecond = fast ? limits.MatrixPerSecond : limits.FusedPerSecond;
        bool byBytes = bytes / limits.BytesPerSecond > operations / perSecond;
        Add(
            name,
            size,
            check,
            byBytes ? "bytes" : fast ? "mma" : "fma",
            byBytes ? bytes : operations,
            byBytes ? limits.BytesPerSecond : perSecond,
            byBytes ? 1e9 : 1e12,
            byBytes ? "GB/s" : "Tflop/s",
            launch);
    }

    /// <summary>Arrays on the device for as long as a benchmark runs.</summary>
    private sealed class OwnedViews<T>(KernelHost host, T[][] arrays) : IDisposable
        where T : unmanaged
    {
        private readonly MemoryBuffer1D<T, Stride1D.Dense>[] buffers =
            [.. arrays.Select(array => host.Accelerator.Allocate1D(array))];

        public ArrayView<T> this[int index] => buffers[index].View.BaseView;

        public void Dispose() => Array.ForEach(buffers, buffer => buffer.Dispose());
    }
}
