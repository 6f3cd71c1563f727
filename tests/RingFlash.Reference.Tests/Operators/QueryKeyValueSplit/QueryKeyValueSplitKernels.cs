// Red here: a device splits heads otherwise than the CPU.
using System;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 10)]
public sealed class QueryKeyValueSplitKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelMovesWhatTheScalarCodeMoves(
        int seed, byte sequences, byte rows, byte queryHeads, byte otherHeads, byte width)
    {
        int batch = 1 + (sequences % 3), tokens = 1 + (rows % 5), heads = 1 + (queryHeads % 5);
        int keyValueHeads = 1 + (otherHeads % 3), headDim = 4 * (1 + (width % 20));
        float[] fused = TestValues.Spread(batch * tokens * (heads + (2 * keyValueHeads)) * headDim, seed);
        float[] query = new float[batch * heads * tokens * headDim];
        float[] key = new float[batch * keyValueHeads * tokens * headDim], value = new float[key.Length];
        QueryKeyValueSplit.Scalar<float>(fused, batch, heads, keyValueHeads, headDim, query, key, value);
        foreach (KernelHost host in device.All)
        {
            ArrayView<float> source = CpuDevice.Bring(host, fused);
            float[] keys = [], values = [];
            float[] queries = CpuDevice.Run(host, query.Length, q => keys = CpuDevice.Run(
                host,
                key.Length,
                k => values = CpuDevice.Run(
                    host,
                    value.Length,
                    v => QueryKeyValueSplit.Launch(host, source, batch, heads, keyValueHeads, headDim, q, k, v))));
            Check.SameBits(query, queries, $"query, {batch} × {heads} × {tokens} × {headDim}");
            Check.SameBits(key, keys, $"key, {batch} × {keyValueHeads} × {tokens} × {headDim}");
            Check.SameBits(value, values, $"value, {batch} × {keyValueHeads} × {tokens} × {headDim}");
        }
    }
}
