using System;
using System.Globalization;
using System.Linq;
using RingFlash.Benchmarks;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace RingFlash.Peers;

/// <summary>
/// RMSNorm, softmax and SwiGLU over the activations of a prompt against libtorch in float32. There is no binding for
/// libtorch's RMSNorm, so it runs the published expression.
/// </summary>
internal static class ElementwisePeer
{
    private const int Rounds = 40;
    private const float Epsilon = 1e-6f;

    /// <summary>Runs.</summary>
    /// <param name="workers">Our threads.</param>
    /// <returns>0, or 4 when a check failed and it was not timed.</returns>
    public static int Run(WorkerPool workers)
    {
        float[] weight = Numbers(1, 4096);
        using Tensor weightTensor = tensor(weight);
        bool good = Pair(
            "RMSNorm [512, 4096]",
            512,
            4096,
            (x, _, y) => RmsNorm.Apply<Float32Precision>(
                ExecutionEngine.Vector512, x, weight, Epsilon, y, workers),
            (x, _) => x * rsqrt(x.pow(2).mean([-1L], keepdim: true) + Epsilon) * weightTensor);
        good &= Pair(
            "softmax [8192, 512]",
            8192,
            512,
            (x, _, y) => workers.Run(8192, (first, end, _) =>
            {
                for (int row = first; row < end; row++)
                {
                    Softmax.Vectorised<Float32Precision>(x.AsSpan(row * 512, 512), [], y.AsSpan(row * 512, 512));
                }
            }),
            (x, _) => nn.functional.softmax(x, -1));
        good &= Pair(
            "SiLU(gate) * up [512, 9216]",
            512,
            9216,
            (x, up, y) => SwiGlu.Apply<Float32Precision>(ExecutionEngine.Vector512, x, up, y, workers),
            (x, up) => nn.functional.silu(x) * up);
        return good ? 0 : 4;
    }

    private static bool Pair(
        string name,
        int rows,
        int columns,
        Action<float[], float[], float[]> ours,
        Func<Tensor, Tensor, Tensor> theirs)
    {
        float[] x = Numbers(rows, rows * columns), second = Numbers(columns, rows * columns);
        float[] y = new float[x.Length];
        using Tensor first = tensor(x).reshape(rows, columns), other = tensor(second).reshape(rows, columns);
        void Theirs()
        {
            using DisposeScope scope = NewDisposeScope();
            theirs(first, other);
        }

        Placement.Fix(() =>
        {
            ours(x, second, y);
            Theirs();
        });
        using Tensor result = theirs(first, other);
        float[] expected = result.data<float>().ToArray();
        double distance = y.Select((value, index) =>
            Math.Abs(value - (double)expected[index]) / (1e-6 + Math.Abs(expected[index]))).Max();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{name}: largest relative distance {distance:E1}"));
        if (!(distance < 1e-4))
        {
            Console.Error.WriteLine("the two do not agree; not timed");
            return false;
        }

        PairedRounds rounds = new() { PauseMilliseconds = 10 };
        rounds.Add("ours", () => ours(x, second, y));
        rounds.Add("libtorch float32", Theirs);
        rounds.Run(Rounds);
        return true;
    }

    private static float[] Numbers(int seed, int count)
    {
        Random random = new(seed);
        float[] numbers = new float[count];
        for (int index = 0; index < count; index++)
        {
            numbers[index] = (random.NextSingle() * 4) - 2;
        }

        return numbers;
    }
}
