// Red here: a rotation on a device has other bits than on the CPU.
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class RotaryEmbeddingKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelHasTheBitsOfVector512(int seed, byte batch, byte heads, byte tokens, byte width, byte rotary)
    {
        int headDim = 1 + (width % 140), rotaryDim = 2 * (rotary % ((headDim / 2) + 1));
        Shape shape = new(1 + (batch % 3), 1 + (heads % 4), 1 + (tokens % 5), headDim, rotaryDim);
        Compare<Float32Precision>(device.OneWarp, seed, shape);
        Compare<BFloat16Precision>(device.TwoWarps, seed, shape);
        Compare<BFloat16Precision>(device.Interpreted, seed, shape);
    }

    private static void Compare<TPrecision>(KernelHost host, int seed, Shape shape)
        where TPrecision : struct, IPrecision
    {
        int length = shape.Batch * shape.Heads * shape.Tokens * shape.HeadDim;
        float[] x = TestValues.WithSpecials<TPrecision>(length, seed), expected = new float[length];
        int table = shape.Batch * shape.Tokens * shape.RotaryDim;
        float[] cosine = TestValues.Spread<TPrecision>(table, ~seed);
        float[] sine = TestValues.Spread<TPrecision>(table, seed + 1);
        RotaryEmbedding.Apply<TPrecision>(
            ExecutionEngine.Vector512,
            x,
            shape.Heads,
            shape.Tokens,
            shape.HeadDim,
            cosine,
            sine,
            shape.RotaryDim,
            expected);
        using DeviceMemory memory = new(host);
        ArrayView<float> y = memory.Fresh(length);
        RotaryEmbedding.Launch<TPrecision>(
            host,
            memory.Upload(x),
            shape.Heads,
            shape.Tokens,
            shape.HeadDim,
            memory.Upload(cosine),
            memory.Upload(sine),
            shape.RotaryDim,
            y);
        Check.SameBits(expected, memory.Read(y), $"{TPrecision.Name}, {shape}");
    }

    private sealed record Shape(int Batch, int Heads, int Tokens, int HeadDim, int RotaryDim);
}
