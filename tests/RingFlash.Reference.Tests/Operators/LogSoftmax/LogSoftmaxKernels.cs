// Red here: log-probabilities on a device have other bits than on the CPU.
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
public sealed class LogSoftmaxKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelsHaveTheBitsOfVector512(int seed, byte rows, DoNotSize<ushort> vocabulary, byte kind)
    {
        Compare(device.OneWarp, seed, rows % 40, 1 + (vocabulary.Item % 500), kind);
        Compare(device.TwoWarps, seed, rows % 40, 1 + (vocabulary.Item % 500), kind);
    }

    [Property]
    public void ThePtxOfTheFastKernelsHasTheBitsOfVector512(
        int seed, byte rows, DoNotSize<ushort> vocabulary, byte kind)
    {
        Compare(device.Interpreted, seed, rows % 9, 4 * (1 + (vocabulary.Item % 200)), kind);
        Compare(device.Interpreted, seed, rows % 9, 1 + (vocabulary.Item % 50), kind);
    }

    [Property(MaxTest = 4)]
    public void TheFastKernelsHaveTheBitsOfVector512(int seed, DoNotSize<ushort> vocabulary, byte kind) =>
        Compare(device.Fast, seed, 3, 4 * (1 + (vocabulary.Item % 200)), kind);

    /// <summary>
    /// Every third of them with special values, or far apart, or so near that every addition rounds.
    /// </summary>
    internal static float[] Logits(int length, int seed, byte kind) => (kind % 3) switch
    {
        0 => TestValues.WithSpecials<Float32Precision>(length, seed),
        1 => TestValues.Spread(length, seed),
        _ => TestValues.Spread(length, seed, binades: 0),
    };

    private static void Compare(KernelHost host, int seed, int rows, int vocabulary, byte kind)
    {
        float[] logits = Logits(rows * vocabulary, seed, kind), expected = new float[logits.Length];
        float[] expectedSums = new float[rows];
        for (int row = 0; row < rows; row++)
        {
            LogSoftmax.Apply(
                ExecutionEngine.Vector512,
                logits.AsSpan(row * vocabulary, vocabulary),
                expected.AsSpan(row * vocabulary, vocabulary));
            ReadOnlySpan<float> ofRow = logits.AsSpan(row * vocabulary, vocabulary);
            expectedSums[row] = ShiftedExponentials.Sum(ofRow, RowMaximum.Of(ofRow), []);
        }

        using DeviceMemory memory = new(host);
        ArrayView<float> inPlace = memory.Upload(logits), sums = memory.Fresh(rows);
        LogSoftmax.Launch(host, inPlace, memory.Fresh(rows), sums, inPlace);
        Check.SameBits(expectedSums, memory.Read(sums), $"{rows} rows of {vocabulary}, sums"); // L hides an ulp of S
        Check.SameBits(expected, memory.Read(inPlace), $"{rows} rows of {vocabulary}");
    }
}
