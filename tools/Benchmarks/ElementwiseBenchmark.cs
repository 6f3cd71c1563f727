using System;
using System.Linq;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// The element-wise operators at the sizes of a prompt of 512 tokens, against moving the bytes that must move and
/// against libtorch.
/// </summary>
internal static class ElementwiseBenchmark
{
    private const int Rounds = 40;

    private delegate void Operator(ExecutionEngine engine, float[] output, WorkerPool? workers);

    /// <summary>Runs.</summary>
    /// <param name="python">A Python that imports torch; without one the peer is named as not available.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string python)
    {
        using WorkerPool workers = new(2);
        float[] x = Numbers(512 * 4096, 1), weight = Numbers(4096, 2), update = Numbers(512 * 4096, 3);
        float[] scores = Numbers(8192 * 512, 4), gate = Numbers(512 * 9216, 5), up = Numbers(512 * 9216, 6);
        float[] heads = Numbers(32 * 512 * 128, 7), cosine = Numbers(512 * 64, 8), sine = Numbers(512 * 64, 9);
        float[] experts = Numbers(512 * 8 * 4096, 10), topK = Numbers(512 * 8, 11);
        float[] logits = Numbers(512 * 256, 12), bias = Numbers(256, 13), margins = new float[512];
        int[] indices = new int[512 * 8];
        RouterShape router = new(256, 8, 4, 8, 2.5f);
        return Case(
                workers,
                "RmsNorm [512, 4096]",
                [x],
                x.Length,
                (engine, y, pool) => RmsNorm.Apply<Float32Precision>(engine, x, weight, 1e-6f, y, pool),
                output => Peer(python, "rms_norm", [512, 4096], ("x", x), ("weight", weight), ("output", output)))
            && Case(
                workers,
                "softmax [8192, 512]",
                [scores],
                scores.Length,
                (engine, y, pool) => Softmaxes(engine, scores, y, pool),
                output => Peer(python, "softmax", [8192, 512], ("x", scores), ("output", output)))
            && Case(
                workers,
                "silu(gate) · up [512, 9216]",
                [gate, up],
                gate.Length,
                (engine, y, pool) => SwiGlu.Apply<Float32Precision>(engine, gate, up, y, pool),
                output => Peer(python, "silu_up", [512, 9216], ("gate", gate), ("up", up), ("output", output)))
            && Case(
                workers,
                "residual add [512, 4096]",
                [x, update],
                x.Length,
                (engine, y, pool) => ResidualAdd.Apply<Float32Precision>(engine, x, update, y, pool))
            && Case(
                workers,
                "rotary embedding, 32 heads × 512 × 128",
                [heads],
                heads.Length,
                (engine, y, pool) => RotaryEmbedding.Apply<Float32Precision>(
                    engine, heads, 32, 512, 128, cosine, sine, 64, y, pool))
            && Case(
                workers,
                "expert combine [512, 8, 4096]",
                [experts],
                512 * 4096,
                (engine, y, pool) => ExpertCombine.Apply<Float32Precision>(engine, experts, topK, 8, y, pool))
            && Case(
                workers,
                "router scores [512, 256]",
                [logits],
                logits.Length,
                (engine, y, pool) => RouterScores.Apply(engine, logits, y, pool))
            && Case(
                workers,
                "router top 8 of 256, 512 tokens",
                [logits],
                512 * 8,
                (engine, y, pool) => GroupLimitedTopK.Apply(engine, router, logits, bias, indices, y, margins, pool))
            ? 0
            : 4;
    }

    private static bool Case(
        WorkerPool workers,
        string name,
        float[][] inputs,
        int outputLength,
        Operator run,
        Func<float[], ScriptPeer?>? start = null)
    {
        float[] expected = new float[outputLength], output = new float[outputLength];
        run(ExecutionEngine.Scalar, expected, null);
        run(ExecutionEngine.Vector512, output, workers);
        if (!MemoryMarshal.AsBytes(expected.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(output.AsSpan())))
        {
            Console.Error.WriteLine($"{name}: not the bits of the scalar engine; nothing is timed");
            return false;
        }

        double bytes = 4.0 * (inputs.Sum(input => (double)input.Length) + outputLength);
        Console.WriteLine($"{name}, float32, 2 threads; {bytes / 1e6:F1} MB must move");
        PairedRounds rounds = new();
        rounds.Add("moving as many bytes", () => RawMemory.Move(workers, inputs, output));
        rounds.Add("vector512", () => run(ExecutionEngine.Vector512, output, workers));
        rounds.Add("vector512, 1 thread", () => run(ExecutionEngine.Vector512, output, null));
        using ScriptPeer? peer = start?.Invoke(expected);
        if (peer is not null)
        {
            rounds.AddTimed("libtorch", peer.Once);
        }

        rounds.Run(Rounds, warmUps: 20);
        return true;
    }

    private static void Softmaxes(ExecutionEngine engine, float[] scores, float[] weights, WorkerPool? workers)
    {
        const int Width = 512;
        if (workers is null)
        {
            Rows(0, scores.Length / Width, 0);
        }
        else
        {
            workers.Run(scores.Length / Width, Rows);
        }

        void Rows(int first, int end, int worker)
        {
            for (int row = first; row < end; row++)
            {
                Span<float> from = scores.AsSpan(row * Width, Width), to = weights.AsSpan(row * Width, Width);
                if (engine == ExecutionEngine.Scalar)
                {
                    Softmax.Scalar<Float32Precision>(from, [], to);
                }
                else
                {
                    Softmax.Vectorised<Float32Precision>(from, [], to);
                }
            }
        }
    }

    private static ScriptPeer? Peer(
        string python, string name, int[] sizes, params (string Name, float[] Values)[] arrays)
    {
        using PeerData data = new(arrays);
        return data.Start(python, name, sizes);
    }

    private static float[] Numbers(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 8) - 4)];
    }
}
