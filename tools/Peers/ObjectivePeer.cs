using System;
using System.Linq;
using System.Threading;
using RingFlash.Benchmarks;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace RingFlash.Peers;

/// <summary>
/// Value and gradient of a million tokens against libtorch eager doing slime's formula on the same numbers.
/// </summary>
internal static class ObjectivePeer
{
    private const int Rollouts = 256;
    private const int Response = 4096;
    private const int Batches = 8; // together well above the last-level cache
    private const int Rounds = 40;

    /// <summary>Runs.</summary>
    /// <param name="workers">Our threads.</param>
    /// <returns>0, or 4 when the two do not agree and nothing is timed.</returns>
    public static int Run(WorkerPool workers)
    {
        Numbers[] numbers = [.. Enumerable.Range(1, Batches).Select(seed => new Numbers(seed))];
        RolloutBatchSingle[] batches = [.. numbers.Select(values => values.Batch())];
        float[][] gradients = [.. batches.Select(_ => new float[Rollouts * Response])];
        Tensors[] tensors = [.. numbers.Select(values => new Tensors(values))];
        float loss = 0, theirs = 0;
        Placement.Fix(() =>
        {
            loss = Ours(batches[0], gradients[0], workers);
            theirs = tensors[0].LossAndGradient();
        });
        float[] gradient = tensors[0].Gradient();
        double worst = gradients[0].Select((value, t) => Math.Abs(value - (double)gradient[t])).Max();
        double scale = gradients[0].Max(Math.Abs);
        Console.WriteLine(
            $"loss {loss}, theirs {theirs}; largest distance of a gradient {worst / scale:E1} of the largest");
        if (!(Math.Abs(loss - theirs) <= 1e-5 && worst <= 1e-5 * scale))
        {
            Console.Error.WriteLine("the two do not agree; nothing is timed");
            return 4;
        }

        int turn = 0;
        PairedRounds rounds = new() { PauseMilliseconds = 30 };
        rounds.Add("vector512, streamed", () =>
            Ours(batches[++turn % Batches], gradients[turn % Batches], workers));
        rounds.Add("libtorch eager, slime's formula, forward and backward", () =>
            tensors[turn % Batches].LossAndGradient());
        rounds.Run(Rounds);
        return 0;
    }

    private static float Ours(RolloutBatchSingle batch, float[] gradient, WorkerPool workers) =>
        PolicyObjective.ValueAndGradient(ExecutionEngine.Vector512, batch, gradient, null, null, workers);

    /// <summary>One batch's numbers, for both sides.</summary>
    private sealed class Numbers
    {
        public Numbers(int seed)
        {
            Random random = new(seed);
            for (int t = 0; t < Old.Length; t++)
            {
                Old[t] = -2f * random.NextSingle();
                Current[t] = Old[t] + (0.1f * (random.NextSingle() - 0.5f));
                Inference[t] = Old[t] + (0.1f * (random.NextSingle() - 0.5f));
                ResponseMask[t] = t % Response < Response - (t / Response) ? (byte)1 : (byte)0;
            }

            Advantages = [.. Enumerable.Range(0, Rollouts).Select(_ => random.NextSingle() - 0.5f)];
        }

        public float[] Old { get; } = new float[Rollouts * Response];

        public float[] Current { get; } = new float[Rollouts * Response];

        public float[] Inference { get; } = new float[Rollouts * Response];

        public byte[] ResponseMask { get; } = new byte[Rollouts * Response];

        public float[] Advantages { get; }

        public RolloutBatchSingle Batch() =>
            new(Rollouts, Response, Current, Old, Inference, Advantages, ResponseMask);
    }

    /// <summary>The same batch as tensors, and the formula as an eager framework writes it.</summary>
    private sealed class Tensors(Numbers numbers)
    {
        private readonly Tensor old = Matrix(numbers.Old);
        private readonly Tensor current = Matrix(numbers.Current).requires_grad_();
        private readonly Tensor inference = Matrix(numbers.Inference);
        private readonly Tensor mask = Matrix(Array.ConvertAll(numbers.ResponseMask, flag => (float)flag));
        private readonly Tensor advantages =
            tensor(numbers.Advantages).reshape(Rollouts, 1).expand(Rollouts, Response);

        public float LossAndGradient()
        {
            using DisposeScope scope = NewDisposeScope();
            current.grad = null;
            Tensor ratio = exp(old - inference);
            Tensor weight = where(ratio.ge(0.5).logical_and(ratio.le(5.0)), ratio, zeros_like(ratio));
            Tensor policy = exp(current - old);
            Tensor surrogate = maximum(-policy * advantages, -policy.clamp(0.8, 1.2) * advantages);
            Tensor perToken = surrogate * weight * mask;
            Tensor loss = (perToken.sum(1) / mask.sum(1).clamp(min: 1)).mean();
            loss.backward();
            return loss.item<float>();
        }

        public float[] Gradient() => current.grad!.data<float>().ToArray();

        private static Tensor Matrix(float[] values) => tensor(values).reshape(Rollouts, Response);
    }
}
