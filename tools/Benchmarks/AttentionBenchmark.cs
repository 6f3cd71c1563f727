using System;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// Causal attention of Ring-flash-2.0 (32 query heads over 4 key/value heads of 128): a prompt against libtorch, one
/// token with a long cache against reading the cache.
/// </summary>
internal static class AttentionBenchmark
{
    private const int Heads = 32, KeyValueHeads = 4, Width = 128;

    /// <summary>Runs.</summary>
    /// <param name="python">A Python that imports torch; without one the peer is named as not available.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string python)
    {
        using WorkerPool workers = new(2);
        foreach ((int tokens, int past) in new[] { (37, 91), (1, 300), (2, 513) })
        {
            Call call = new(tokens, past);
            float[] expected = call.Attend(ExecutionEngine.Scalar, workers);
            if (!MemoryMarshal.AsBytes(expected.AsSpan())
                .SequenceEqual(MemoryMarshal.AsBytes(call.Attend(ExecutionEngine.Vector512, workers).AsSpan())))
            {
                Console.Error.WriteLine("the vector path does not give the bits of the scalar one; nothing is timed");
                return 4;
            }
        }

        Prompt(workers, python, 512, rounds: 25);
        Prompt(workers, python, 4096, rounds: 5);
        Decode(workers, python, 32768);
        return 0;
    }

    private static void Prompt(WorkerPool workers, string python, int tokens, int rounds)
    {
        Call call = new(tokens, 0);
        double products = 4.0 * Heads * Width * tokens * (tokens + 1) / 2;
        Console.WriteLine($"causal attention of {tokens} tokens, float32, 2 threads; {products / 1e9:F2} GFLOP");
        PairedRounds paired = new();
        paired.Add("vector512", () => call.Attend(ExecutionEngine.Vector512, workers));
        using ScriptPeer? peer = call.Peer(python, workers);
        if (peer is not null)
        {
            paired.AddTimed("libtorch", peer.Once);
        }

        paired.Run(rounds, warmUps: Math.Min(rounds, 10));
    }

    private static void Decode(WorkerPool workers, string python, int cached)
    {
        Call call = new(1, cached - 1);
        double bytes = sizeof(float) * ((double)call.Keys.Length + call.Values.Length);
        Console.WriteLine(
            $"one token and {cached} cached positions, float32, 2 threads; {bytes / 1e6:F1} MB are read");
        PairedRounds paired = new();
        paired.Add("reading these bytes", () =>
        {
            RawMemory.Read(workers, call.Keys);
            RawMemory.Read(workers, call.Values);
        });
        paired.Add("vector512", () => call.Attend(ExecutionEngine.Vector512, workers));
        using ScriptPeer? peer = call.Peer(python, workers);
        if (peer is not null)
        {
            paired.AddTimed("libtorch", peer.Once);
        }

        paired.Run(25, warmUps: 10);
    }

    /// <summary>One attention call over random numbers.</summary>
    private sealed class Call
    {
        private readonly AttentionShape shape;
        private readonly float[] query;
        private readonly float[] context;

        public Call(int tokens, int past)
        {
            shape = new AttentionShape(1, Heads, KeyValueHeads, tokens, past, Width, past + tokens);
            Random random = new(tokens);
            query = Numbers(random, Heads * tokens * Width);
            Keys = Numbers(random, KeyValueHeads * shape.KeyTokens * Width);
            Values = Numbers(random, KeyValueHeads * shape.KeyTokens * Width);
            context = new float[query.Length];
        }

        public float[] Keys { get; }

        public float[] Values { get; }

        public float[] Attend(ExecutionEngine engine, WorkerPool workers)
        {
            CausalAttention.Apply<Float32Precision>(engine, workers, shape, query, Keys, Values, [], context, []);
            return engine == ExecutionEngine.Scalar ? [.. context] : context;
        }

        public ScriptPeer? Peer(string python, WorkerPool workers)
        {
            using PeerData data = new(
                ("query", query),
                ("keys", Keys),
                ("values", Values),
                ("output", Attend(ExecutionEngine.Vector512, workers)));
            int[] sizes = [Heads, KeyValueHeads, shape.QueryTokens, shape.PastTokens, Width];
            return data.Start(python, "attention", sizes);
        }

        private static float[] Numbers(Random random, int count)
        {
            float[] numbers = new float[count];
            HugePages.Ask(numbers); // as the cache of the model does
            for (int index = 0; index < count; index++)
            {
                numbers[index] = (random.NextSingle() * 2) - 1;
            }

            return numbers;
        }
    }
}
