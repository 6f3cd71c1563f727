using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// A layer's routed experts with packed weights, top 8, from one token to a prompt, against what bounds them: reading
/// the weights of the experts that have tokens, and the rate of fused multiply-adds.
/// </summary>
internal static class ExpertsBenchmark
{
    private const int TopK = 8;

    // Tokens on 64 experts; 128 tokens are 16 rows an expert, as 512 tokens are on the model's 256.
    private static readonly (int Tokens, double Bar)[] Bars =
        [(1, 0.93), (8, 0.8), (32, 0.8), (128, 0.70), (512, 0.85)];

    /// <summary>Runs.</summary>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run()
    {
        foreach ((string name, int hidden, int intermediate, int experts) in new[]
        {
            ("flash", 4096, 1024, 64),
            ("mini", 2048, 512, 64),
        })
        {
            using WorkerPool two = new(2), one = new(1);
            ExpertWeights[] weights = [.. Enumerable.Range(0, experts).Select(expert => new ExpertWeights(
                Packed(intermediate, hidden, 3 * expert, two),
                Packed(intermediate, hidden, (3 * expert) + 1, two),
                Packed(hidden, intermediate, (3 * expert) + 2, two)))];
            foreach (WorkerPool workers in new[] { one, two })
            {
                Console.WriteLine(
                    $"{name} experts: {experts} of {intermediate}, hidden {hidden}, top {TopK}, bf16 weights, "
                    + $"{workers.ThreadCount} thread(s)");
                foreach ((int tokens, double bar) in Bars)
                {
                    if (!Measure(workers, weights, tokens, bar))
                    {
                        Console.Error.WriteLine($"{tokens} tokens do not have the scalar bits; nothing is timed");
                        return 4;
                    }
                }
            }

            foreach (ExpertWeights expert in weights)
            {
                Array.ForEach(Matrices(expert), matrix => matrix.Unpack());
            }
        }

        return 0;
    }

    private static bool Measure(WorkerPool workers, ExpertWeights[] weights, int tokens, double bar)
    {
        int hidden = weights[0].Gate.Inputs, intermediate = weights[0].Gate.Outputs;
        Random random = new(tokens);
        float[] x = [.. Enumerable.Range(0, tokens * hidden).Select(_ => random.NextSingle() - 0.5f)];
        float[] outputs = new float[tokens * TopK * hidden];

        // Each turn has a routing of its own, so that one token finds its experts in memory and not in the cache.
        ExpertDispatch[] dispatches = [.. Enumerable.Range(0, weights.Length / TopK).Select(_ => ExpertDispatch.Group(
            Routing(random, tokens, weights.Length), TopK, weights.Length))];
        if (!SameBits(workers, weights, x, dispatches[0], outputs))
        {
            return false;
        }

        long multiplyAdds = 3L * tokens * TopK * hidden * intermediate;
        int turn = 0;
        PairedRounds rounds = new();
        Bound bound = new(workers);
        rounds.AddTimed("bound", () => bound.Milliseconds(
            multiplyAdds,
            [.. dispatches[++turn % dispatches.Length].ActiveExperts.ToArray().SelectMany(expert => Matrices(weights[expert]))]));
        rounds.AddTimed("vector512", () => Bound.Time(workers, () => RoutedExperts.Vectorised<Float32Precision>(
            workers,
            x,
            dispatches[(turn + (dispatches.Length / 2)) % dispatches.Length],
            expert => weights[expert],
            outputs)));
        int active = dispatches[0].ActiveExperts.Length;
        GemmBenchmark.Report(
            $"{tokens} tokens",
            rounds.Measure(tokens > 32 ? 15 : 41, warmUps: tokens > 32 ? 3 : 15),
            bound,
            bar,
            multiplyAdds,
            active * Matrices(weights[0]).Sum(matrix => matrix.Panels!.ByteCount));
        return true;
    }

    private static int[] Routing(Random random, int tokens, int experts)
    {
        int[] all = [.. Enumerable.Range(0, experts)];
        List<int> indices = [];
        for (int t = 0; t < tokens; t++)
        {
            random.Shuffle(all);
            indices.AddRange(all.AsSpan(0, TopK));
        }

        return [.. indices];
    }

    private static bool SameBits(
        WorkerPool workers, ExpertWeights[] weights, float[] x, ExpertDispatch dispatch, float[] outputs)
    {
        RoutedExperts.Vectorised<Float32Precision>(workers, x, dispatch, expert => weights[expert], outputs);
        int hidden = weights[0].Gate.Inputs;
        for (int assignment = 0; assignment < dispatch.Rows.Length; assignment += 1 + (dispatch.Rows.Length / 12))
        {
            int row = dispatch.Rows[assignment];
            int active = Array.FindLastIndex(dispatch.Offsets.ToArray(), offset => offset <= assignment);
            ExpertWeights expert = weights[dispatch.ActiveExperts[active]];
            float[] gate = new float[expert.Gate.Outputs], up = new float[gate.Length], expected = new float[hidden];
            ReadOnlySpan<float> token = x.AsSpan(row / TopK * hidden, hidden);
            LinearProjection.Scalar<Float32Precision>(workers, token, expert.Gate, [], gate);
            LinearProjection.Scalar<Float32Precision>(workers, token, expert.Up, [], up);
            SwiGlu.Scalar<Float32Precision>(gate, up, gate);
            LinearProjection.Scalar<Float32Precision>(workers, gate, expert.Down, [], expected);
            if (!expected.AsSpan().SequenceEqual(outputs.AsSpan(row * hidden, hidden)))
            {
                return false;
            }
        }

        return true;
    }

    private static WeightMatrix[] Matrices(ExpertWeights expert) => [expert.Gate, expert.Up, expert.Down];

    private static WeightMatrix Packed(int outputs, int inputs, int seed, WorkerPool workers)
    {
        WeightMatrix weight = RandomWeight.Create("bf16", outputs, inputs, seed);
        weight.Pack(workers);
        return weight;
    }
}
