// Red here: a token's log-probability or its gradient on a device has other bits than on the CPU.
using System;
using FsCheck;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class TokenLogProbabilityKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void ForwardAndBackwardHaveTheBitsOfVector512(
        int seed, byte rows, DoNotSize<ushort> vocabulary, byte kind, byte temperature)
    {
        float t = temperature % 3 == 0 ? 1f : 0.3f + (temperature / 100f);
        Compare(device.OneWarp, seed, rows % 20, 1 + (vocabulary.Item % 400), kind, t);
        Compare(device.TwoWarps, seed, rows % 20, 1 + (vocabulary.Item % 400), kind, t);
        Compare(device.Interpreted, seed, rows % 7, 1 + (vocabulary.Item % 60), kind, t);
        Compare(device.Interpreted, seed, rows % 7, 4 * (1 + (vocabulary.Item % 90)), kind, t);
    }

    [Fact]
    public void ATokenOutsideTheVocabularyIsNaNAndReadsNothing()
    {
        foreach (KernelHost host in new[] { device.OneWarp, device.Interpreted })
        {
            using DeviceMemory memory = new(host);
            ArrayView<float> y = memory.Fresh(3);
            TokenLogProbability.Launch(
                host,
                memory.Upload(new float[12]),
                memory.Upload(new long[] { -1, 3, 4 }),
                1f,
                memory.Fresh(3),
                memory.Fresh(3),
                y);
            float[] actual = memory.Read(y);
            Assert.True(float.IsNaN(actual[0]) && float.IsNaN(actual[2]) && actual[1] == -Logarithm.Log(4f));
        }
    }

    private static void Compare(
        KernelHost host, int seed, int rows, int vocabulary, byte kind, float temperature)
    {
        float[] logits = LogSoftmaxKernels.Logits(rows * vocabulary, seed, kind);
        float[] upstream = TestValues.WithSpecials<Float32Precision>(rows, ~seed);
        long[] tokens = new long[rows];
        Random random = new(seed);
        for (int row = 0; row < rows; row++)
        {
            tokens[row] = random.Next(vocabulary);
            upstream[row] = row % 4 == 2 ? 0f : upstream[row];
        }

        float[] expected = new float[rows], gradient = new float[logits.Length];
        TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, tokens, temperature, expected);
        TokenLogProbability.Backward(ExecutionEngine.Vector512, logits, tokens, temperature, upstream, gradient);
        using DeviceMemory memory = new(host);
        ArrayView<float> inPlace = memory.Upload(logits), y = memory.Fresh(rows);
        ArrayView<float> maxima = memory.Fresh(rows), sums = memory.Fresh(rows);
        ArrayView<long> chosen = memory.Upload(tokens);
        TokenLogProbability.Launch(host, inPlace, chosen, temperature, maxima, sums, y);
        TokenLogProbability.LaunchBackward(
            host, inPlace, chosen, temperature, maxima, sums, memory.Upload(upstream), inPlace);
        string axes = $"{rows} rows of {vocabulary}, T {temperature}";
        Check.SameBits(expected, memory.Read(y), axes);
        Check.SameBits(gradient, memory.Read(inPlace), axes + ", gradient");
    }
}
