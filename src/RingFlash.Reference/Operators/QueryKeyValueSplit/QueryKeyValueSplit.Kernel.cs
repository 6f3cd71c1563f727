using ILGPU;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>On a device: three launches of <see cref="HeadCopy"/>, one for each kind of head.</content>
public static partial class QueryKeyValueSplit
{
    /// <summary>Splits on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="queryKeyValue">[batch, tokens, (heads + 2·keyValueHeads)·headDim], read.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyValueHeads">Key and value heads.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="query">[batch, heads, tokens, headDim], written.</param>
    /// <param name="key">[batch, keyValueHeads, tokens, headDim], written.</param>
    /// <param name="value">[batch, keyValueHeads, tokens, headDim], written.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<float> queryKeyValue,
        int batch,
        int heads,
        int keyValueHeads,
        int headDim,
        ArrayView<float> query,
        ArrayView<float> key,
        ArrayView<float> value)
    {
        long width = (heads + (2L * keyValueHeads)) * headDim;
        int tokens = (int)(queryKeyValue.Length / (batch * width));
        Copy(query, 0, heads);
        Copy(key, heads, keyValueHeads);
        Copy(value, heads + keyValueHeads, keyValueHeads);

        void Copy(ArrayView<float> destination, int firstHead, int count) => HeadCopy.Launch(
            host,
            queryKeyValue,
            new HeadLayout((long)firstHead * headDim, tokens * width, headDim, width),
            destination,
            HeadLayout.Dense(count, tokens, headDim),
            batch,
            count,
            tokens,
            headDim);
    }
}
