// Red here: a device looks up another row than the CPU.
using System;
using FsCheck;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 8)]
public sealed class TokenEmbeddingKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfTheScalarCode(int seed, byte tokens, byte vocabulary, DoNotSize<ushort> hidden)
    {
        int rows = 1 + (vocabulary % 40), width = 1 + (hidden.Item % 200);
        Compare(seed, tokens % 7, new DenseMatrix(rows, width, TestValues.Spread(rows * width, seed)));
        Compare(seed, tokens % 7, new DenseMatrix(
            rows, width, TestValues.Spread<BFloat16Precision>(rows * width, seed), PanelFormat.BFloat16));
        Compare(seed, tokens % 7, MemorySource.Float8(rows, width, seed));
    }

    private void Compare(int seed, int tokens, WeightMatrix table)
    {
        Random random = new(seed);
        long[] ids = new long[tokens];
        for (int token = 0; token < tokens; token++)
        {
            ids[token] = random.Next(table.Outputs);
        }

        float[] expected = new float[tokens * table.Inputs];
        TokenEmbedding.Scalar(ids, table, expected);
        using WorkerPool workers = new(1);
        foreach (KernelHost host in device.All)
        {
            using DeviceWeight weight = DeviceWeight.Upload(host, table, workers);
            ArrayView<long> places = CpuDevice.Bring(host, ids);
            float[] actual = CpuDevice.Run(
                host, expected.Length, y => TokenEmbedding.Launch(host, places, weight, y));
            Check.SameBits(expected, actual, $"{weight.Format}, {tokens} of {table.Outputs} × {table.Inputs}");
        }
    }
}
