using System;
using System.Globalization;
using System.Linq;
using RingFlash.Benchmarks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace RingFlash.Peers;

/// <summary>
/// Y = X·Wᵀ at the model's shapes: ours on bf16 weights in exact float32 arithmetic, OpenBLAS and libtorch in float32,
/// and libtorch in bfloat16, which rounds activations and results.
/// </summary>
internal static class ProductPeer
{
    private const int Inputs = 4096;
    private const long RotatedBytes = 300L << 20; // weights come from memory, as in decode
    private static readonly int[] OutputCounts = [5120, 2048];
    private static readonly int[] RowCounts = [1, 8, 16, 128, 512];

    /// <summary>Runs.</summary>
    /// <param name="workers">Our threads.</param>
    /// <param name="openBlas">Whether OpenBLAS is there.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(WorkerPool workers, bool openBlas)
    {
        foreach (int outputs in OutputCounts)
        {
            Weights[] weights = [.. Enumerable.Range(0, (int)(RotatedBytes / (outputs * (long)Inputs * 2)))
                .Select(index => new Weights(index, outputs, workers))];
            foreach (int rows in RowCounts)
            {
                if (!Shape(workers, openBlas, weights, rows, outputs))
                {
                    return 4;
                }
            }
        }

        return 0;
    }

    private static unsafe bool Shape(WorkerPool workers, bool openBlas, Weights[] weights, int rows, int outputs)
    {
        Random random = new(rows);
        float[] x = [.. Enumerable.Range(0, rows * Inputs).Select(_ => (float)(random.NextDouble() - 0.5))];
        float[] ours = new float[rows * outputs], theirs = new float[rows * outputs];
        using Tensor single = tensor(x).reshape(rows, Inputs), half = single.to(ScalarType.BFloat16);
        int turn = 0;
        Weights Next() => weights[turn % weights.Length];
        void Ours() => LinearProjection.Vectorised<Float32Precision>(workers, x, Next().Packed, [], ours);
        void Blas()
        {
            fixed (float* left = x, right = Next().Single, result = theirs)
            {
                OpenBlas.Product(rows, outputs, Inputs, left, right, result);
            }
        }

        void Torch() => nn.functional.linear(single, Next().SingleTensor).Dispose();
        void TorchHalf() => nn.functional.linear(half, Next().HalfTensor).Dispose();
        Placement.Fix(() =>
        {
            Ours();
            Torch();
            TorchHalf();
            if (openBlas)
            {
                Blas();
            }
        });

        double[] exact = Exact(x, weights[0], rows, outputs);
        using Tensor singleResult = nn.functional.linear(single, weights[0].SingleTensor);
        using Tensor halfResult = nn.functional.linear(half, weights[0].HalfTensor).to(ScalarType.Float32);
        double error = Error(ours, exact, outputs);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"M = {rows}, N = {outputs}, K = {Inputs}: largest error ours {error:E1}, OpenBLAS "
            + $"{(openBlas ? Error(theirs, exact, outputs) : double.NaN):E1}, libtorch "
            + $"{Error(singleResult.data<float>().ToArray(), exact, outputs):E1}, libtorch bf16 "
            + $"{Error(halfResult.data<float>().ToArray(), exact, outputs):E1}"));
        if (!(error < 1e-4))
        {
            Console.Error.WriteLine("ours is wrong; nothing is timed");
            return false;
        }

        PairedRounds rounds = new() { PauseMilliseconds = 30 };
        rounds.Add("ours, bf16 weights, exact float32", () =>
        {
            turn++;
            Ours();
        });
        if (openBlas)
        {
            rounds.Add("OpenBLAS float32", Blas);
        }

        rounds.Add("libtorch float32", Torch);
        rounds.Add("libtorch bf16 (rounds activations)", TorchHalf);
        rounds.Run(rows >= 128 ? 15 : 25);
        return true;
    }

    /// <summary>Some rows of the exact product.</summary>
    private static double[] Exact(float[] x, Weights weights, int rows, int outputs)
    {
        int few = Math.Min(rows, 4);
        double[] exact = new double[few * outputs];
        for (int row = 0; row < few; row++)
        {
            for (int output = 0; output < outputs; output++)
            {
                double sum = 0;
                for (int k = 0; k < Inputs; k++)
                {
                    sum += (double)x[(row * Inputs) + k] * weights.Single[(output * Inputs) + k];
                }

                exact[(row * outputs) + output] = sum;
            }
        }

        return exact;
    }

    private static double Error(float[] values, double[] exact, int outputs) =>
        exact.Select((value, index) => Math.Abs(values[index] - value)).Max();

    /// <summary>One matrix in every form.</summary>
    private sealed class Weights
    {
        public Weights(int seed, int outputs, WorkerPool workers)
        {
            Single = ArrayMatrix.Numbers(seed, outputs * Inputs);
            Packed = new ArrayMatrix(outputs, Inputs, Single);
            Packed.Pack(workers);
            SingleTensor = tensor(Single).reshape(outputs, Inputs);
            HalfTensor = SingleTensor.to(ScalarType.BFloat16);
        }

        public float[] Single { get; }

        public WeightMatrix Packed { get; }

        public Tensor SingleTensor { get; }

        public Tensor HalfTensor { get; }
    }
}
