using System;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// The IcePop objective: value and gradient of a million tokens against reading the bytes that must move and against
/// PyTorch eager doing the same formula (slime's), and the way from logits to gradient at the model's vocabulary.
/// </summary>
internal static class ObjectiveBenchmark
{
    private const int Rollouts = 256;
    private const int Response = 4096;
    private const int Rounds = 60;

    // Together well above the last-level cache, so that inputs come from memory as they do in training.
    private const int Batches = 16;

    /// <summary>Runs.</summary>
    /// <param name="python">A Python that imports torch; without one the peer is named as not available.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string python)
    {
        using WorkerPool workers = new(2);
        RolloutBatchSingle[] batches = [.. Enumerable.Range(0, Batches).Select(Batch)];
        float[][] gradients = [.. batches.Select(_ => new float[Rollouts * Response])];
        RolloutBatchSingle batch = batches[0];
        float[] gradient = gradients[0];
        float loss = PolicyObjective.ValueAndGradient(ExecutionEngine.Vector512, batch, gradient, null, null, workers);
        ObjectiveResult checkedResult = PolicyObjective.Evaluate(ExecutionEngine.Scalar, batch);
        if (loss != checkedResult.TotalLoss()
            || !checkedResult.TotalGradient().SequenceEqual(gradient.Select(value => (double)value)))
        {
            Console.Error.WriteLine("the streamed path does not give the bits of the scalar one; nothing is timed");
            return 4;
        }

        // Three inputs and a byte of mask are read, one gradient is written.
        int bytes = Rollouts * Response * ((3 * sizeof(float)) + 1 + sizeof(float));
        float[][] memory = [.. batches.Select(_ => new float[bytes / sizeof(float)])];
        foreach (float[] block in memory)
        {
            Array.Fill(block, 1f); // pages that were never written are all one page of zeros
        }

        int turn = 0;
        Console.WriteLine(
            $"value and gradient of {Rollouts} × {Response} tokens, float32, 2 threads; {bytes / 1e6:F1} MB must move");
        PairedRounds rounds = new();
        rounds.Add("reading as many bytes", () => RawMemory.Read(workers, memory[++turn % Batches]));
        rounds.Add("vector512, streamed", () => PolicyObjective.ValueAndGradient(
            ExecutionEngine.Vector512, batches[turn % Batches], gradients[turn % Batches], null, null, workers));
        using ScriptPeer? peer = ScriptPeer.Start(python, "slime_eager.py", $"{Rollouts}", $"{Response}");
        if (peer is not null)
        {
            rounds.AddTimed("PyTorch eager, slime's formula, forward and backward", peer.Once);
        }

        rounds.Run(Rounds);
        Logits(workers);
        return 0;
    }

    private static RolloutBatchSingle Batch(int seed)
    {
        Random random = new(seed);
        int tokens = Rollouts * Response;
        float[] old = new float[tokens], current = new float[tokens], inference = new float[tokens];
        byte[] mask = new byte[tokens];
        for (int t = 0; t < tokens; t++)
        {
            old[t] = -2f * random.NextSingle();
            current[t] = old[t] + (0.1f * (random.NextSingle() - 0.5f));
            inference[t] = old[t] + (0.1f * (random.NextSingle() - 0.5f));
            mask[t] = t % Response < Response - (t / Response) ? (byte)1 : (byte)0;
        }

        float[] advantages = [.. Enumerable.Range(0, Rollouts).Select(_ => random.NextSingle() - 0.5f)];
        return new RolloutBatchSingle(Rollouts, Response, current, old, inference, advantages, mask);
    }

    private static void Logits(WorkerPool workers)
    {
        const int Tokens = 1024, Vocabulary = 157184;
        float[] logits = new float[(long)Tokens * Vocabulary];
        for (int index = 0; index < logits.Length; index++)
        {
            logits[index] = ((index * 2654435761L) & 0xFFFF) / 8192f;
        }

        long[] tokens = [.. Enumerable.Range(0, Tokens).Select(t => (long)((t * 7919) % Vocabulary))];
        float[] upstream = new float[Tokens];
        Array.Fill(upstream, 1f / Tokens);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        long start = Stopwatch.GetTimestamp();
        TokenLogProbability.Backward(
            ExecutionEngine.Vector512, logits, tokens, 1f, upstream, logits, workers);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        double gigabytes = logits.Length * (double)sizeof(float) / 1e9;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"logits to gradient in place, {Tokens} × {Vocabulary}: {elapsed.TotalMilliseconds:F0} ms, "
            + $"{gigabytes / elapsed.TotalSeconds:F1} GB/s of logits, {allocated / 1e3:F0} kB allocated "
            + $"(the logits are {gigabytes * 1000:F0} MB)"));
    }
}
