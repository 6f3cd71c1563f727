using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Numerics;
using System.Threading;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Runs our model on sequences under the ways of rounding that a precision allows.</summary>
/// <remarks>
/// <para>float32: our float32, measured by the float64 oracle. bfloat16: the published rounding points, and those of
/// fused kernels, measured by float32. fp8: the same two on the block-quantised weights, and the published rounding
/// points with activations quantised too, measured by float32 on the dequantised weights.</para>
/// </remarks>
/// <param name="configuration">The model.</param>
/// <param name="source">Its weights.</param>
/// <param name="memoryLimit">Bytes in all; null for three quarters of the machine.</param>
internal sealed class ReferenceRunner(ModelConfiguration configuration, IWeightSource source, long? memoryLimit)
{
    /// <summary>The precisions.</summary>
    public const string Precisions = "float32, bfloat16, fp8";

    // Each pass reads all weights, and its logits are kept until they are log-probabilities.
    private const int RowsPerPass = 256;

    /// <summary>Told what is being computed.</summary>
    public Action<string> Progress { get; init; } = _ => { };

    /// <summary>The precision of a server that runs the checkpoint as it is published.</summary>
    /// <param name="configuration">The model.</param>
    /// <returns>The word.</returns>
    public static string Usual(ModelConfiguration configuration) =>
        configuration.Quantization is not null ? "fp8"
        : configuration.TorchDtype == "float32" ? "float32"
        : "bfloat16";

    /// <summary>Runs.</summary>
    /// <param name="sequences">[sequences][tokens].</param>
    /// <param name="precision">One of <see cref="Precisions"/>.</param>
    /// <param name="replay">Experts to follow; null for our own.</param>
    /// <param name="cancellation">Stops before the next layer.</param>
    /// <returns>The runs.</returns>
    public ReferenceRuns Run(
        IReadOnlyList<IReadOnlyList<int>> sequences,
        string precision,
        RoutingReplay? replay,
        CancellationToken cancellation)
    {
        List<float[]?> bias = Bias();
        using WorkerPool workers = new(Environment.ProcessorCount);
        if (precision == "float32")
        {
            return new ReferenceRuns(
                precision,
                RunOne("float64", new Float64Operators(workers), false, LogSoftmax64),
                [RunFloat32()])
            {
                ExpertBias = bias,
            };
        }

        List<ReferenceRun> legal =
        [
            RunSingle("bfloat16", new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers), true),
            RunSingle("bfloat16, fused", new FusedOperators(workers), true),
        ];
        if (precision == "fp8")
        {
            legal.Add(RunSingle(
                "fp8 activations",
                new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers, quantiseActivations: true),
                true));
        }

        return new ReferenceRuns(
            precision,
            RunFloat32(),
            legal)
        {
            ExpertBias = bias,
        };

        ReferenceRun RunFloat32() => RunSingle(
            "float32", new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers), false);

        ReferenceRun RunSingle(string name, ForwardOperators<float> operators, bool bfloat16) =>
            RunOne(name, operators, bfloat16, LogSoftmax32);

        ReferenceRun RunOne<T>(
            string name, ForwardOperators<T> operators, bool bfloat16, Func<ReadOnlyMemory<T>, float[]> logSoftmax)
            where T : unmanaged, INumber<T>
        {
            Progress($"our own numbers: {name}{(replay is null ? string.Empty : ", with the server's experts")}");
            ModelWeights weights = new(source, configuration, bfloat16);
            using WeightResidency? residency = Residency(weights, workers.ThreadCount, sequences);
            RingFlashModel<T> model = new(configuration, weights, operators);
            Replayer? replayer = replay is null ? null : new Replayer(configuration, replay, bias);
            return new ReferenceRun(name, Forward(model, sequences, logSoftmax, replayer, cancellation));
        }
    }

    // The same bits as TokenScoring: (logit − m) − L, all in float32.
    private static float[] LogSoftmax32(ReadOnlyMemory<float> logits)
    {
        (float maximum, float logSum) = LogSoftmax.Normaliser(ExecutionEngine.Vector512, logits.Span);
        float[] result = logits.ToArray();
        foreach (ref float value in result.AsSpan())
        {
            value = value - maximum - logSum;
        }

        return result;
    }

    private static float[] LogSoftmax64(ReadOnlyMemory<double> logits)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (double logit in logits.Span)
        {
            maximum = Math.Max(maximum, logit);
        }

        foreach (double logit in logits.Span)
        {
            sum += Math.Exp(logit - maximum);
        }

        double logSum = maximum + Math.Log(sum);
        return Array.ConvertAll(logits.ToArray(), logit => (float)(logit - logSum));
    }

    private List<ReferenceSequence> Forward<T>(
        RingFlashModel<T> model,
        IReadOnlyList<IReadOnlyList<int>> sequences,
        Func<ReadOnlyMemory<T>, float[]> logSoftmax,
        Replayer? replayer,
        CancellationToken cancellation)
        where T : unmanaged, INumber<T>
    {
        List<ReferenceSequence> results =
        [
            .. sequences.Select(ids => new ReferenceSequence(
                ids, new float[ids.Count][], [.. ids.Select(_ => new RoutedToken?[configuration.LayerCount])])),
        ];
        KeyValueCache<T>[] caches =
            [.. sequences.Select(ids => new KeyValueCache<T>(configuration, 1, ids.Count))];
        (int Sequence, int Token)[] rows =
        [
            .. sequences.SelectMany(
                (ids, sequence) => Enumerable.Range(0, ids.Count).Select(token => (sequence, token))),
        ];
        foreach ((int Sequence, int Token)[] pass in rows.Chunk(RowsPerPass))
        {
            RouterTrace<T> trace = new(configuration, pass, replayer);
            ForwardResult<T> result = model.Forward(
                new ForwardInput([.. pass.Select(row => (long)sequences[row.Sequence][row.Token])], 1),
                [
                    .. pass.GroupBy(row => row.Sequence)
                        .Select(group => new SequenceRows<T>(group.Count(), caches[group.Key])),
                ],
                trace,
                cancellation);
            for (int row = 0; row < pass.Length; row++)
            {
                (int sequence, int token) = pass[row];
                int width = result.Logits.Width;
                results[sequence].LogProbabilities[token] =
                    logSoftmax(result.Logits.Values.AsMemory(row * width, width));
                trace.Fill(row, results[sequence].Routing[token]);
            }
        }

        return results;
    }

    private List<float[]?> Bias()
    {
        ModelWeights weights = new(source, configuration, false);
        return
        [
            .. Enumerable.Range(0, configuration.LayerCount).Select(layer => weights.Layer(layer).Experts?.ExpertBias),
        ];
    }

    private WeightResidency? Residency(
        ModelWeights weights, int threads, IReadOnlyList<IReadOnlyList<int>> sequences)
    {
        int tokens = sequences.Sum(ids => ids.Count);
        long others = ForwardMemory.Bytes(configuration, 1, Math.Min(tokens, RowsPerPass), tokens)
            + (4L * sizeof(float) * tokens * configuration.VocabularySize); // the log-probabilities of four runs
        if (memoryLimit is long limit)
        {
            return new WeightResidency(weights, ForwardMemory.ForWeights(limit, weights, others), threads);
        }

        long left = (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3) - others;
        return left < WeightResidency.SmallestLimit(weights) ? null : new WeightResidency(weights, left, threads);
    }

    /// <summary>Where a run follows other experts.</summary>
    private sealed record Replayer(ModelConfiguration Configuration, RoutingReplay Replay, List<float[]?> Bias);

    /// <summary>Keeps scores and decisions of the routers of one pass, and may change decisions.</summary>
    private sealed class RouterTrace<T>(
        ModelConfiguration configuration, (int Sequence, int Token)[] pass, Replayer? replayer) : ForwardTrace<T>
        where T : unmanaged, INumber<T>
    {
        private readonly HostTensor<T>?[] scores = new HostTensor<T>?[configuration.LayerCount];
        private readonly RoutedToken[][] routed = new RoutedToken[configuration.LayerCount][];

        public override void Tap(string name, HostTensor<T> tensor)
        {
            if (name.EndsWith(".gate.scores", StringComparison.Ordinal))
            {
                scores[Layer(name)] = tensor;
            }
        }

        public override void TapDecision(string name, RouterDecision<T> decision)
        {
            int layer = Layer(name), topK = decision.TopK;
            routed[layer] = new RoutedToken[pass.Length];
            for (int row = 0; row < pass.Length; row++)
            {
                float[] own = Array.ConvertAll(scores[layer]!.Row(row).ToArray(), float.CreateChecked);
                int[] chosen = decision.TopKIndices[(row * topK)..((row + 1) * topK)];
                int[] used = replayer?.Replay.Choice(
                    configuration, pass[row].Sequence, pass[row].Token, layer, own, replayer.Bias[layer]!) ?? chosen;
                if (!used.ToHashSet().SetEquals(chosen))
                {
                    Follow(decision, row, used, scores[layer]!.Row(row));
                }

                routed[layer][row] =
                    new RoutedToken(chosen, used, own, float.CreateChecked(decision.Margins.Values[row]));
            }
        }

        public override bool Wants(string name) => false;

        public void Fill(int row, RoutedToken?[] layers)
        {
            for (int layer = 0; layer < layers.Length; layer++)
            {
                layers[layer] = routed[layer]?[row];
            }
        }

        // Weights as GroupLimitedTopK has them: of the scores without bias, summed in the chosen order.
        private void Follow(RouterDecision<T> decision, int row, int[] used, ReadOnlySpan<T> own)
        {
            T sum = T.Zero;
            foreach (int expert in used)
            {
                sum += own[expert];
            }

            sum += T.CreateChecked(1e-20);
            Span<T> weights = decision.TopKWeights.Row(row);
            for (int place = 0; place < used.Length; place++)
            {
                decision.TopKIndices[(row * used.Length) + place] = used[place];
                T share = used.Length == 1 ? own[used[place]] : own[used[place]] / sum;
                weights[place] = share * T.CreateChecked((float)configuration.RoutedScalingFactor);
            }
        }

        private static int Layer(string name) =>
            int.Parse(name.Split('.')[2], CultureInfo.InvariantCulture); // model.layers.N.mlp.gate
    }
}
