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
/// Causal attention of 32 query heads over 4 key/value heads of 128 against libtorch's scaled_dot_product_attention in
/// float32. libtorch is given keys and values repeated to 32 heads, outside of the timed part.
/// </summary>
internal static class AttentionPeer
{
    private const int Heads = 32, KeyValueHeads = 4, Width = 128;

    /// <summary>Runs.</summary>
    /// <param name="workers">Our threads.</param>
    /// <returns>0, or 4 when the two do not agree and nothing is timed.</returns>
    public static int Run(WorkerPool workers) =>
        Shape(workers, 512, 0, 25) && Shape(workers, 4096, 0, 5) && Shape(workers, 1, 32767, 25) ? 0 : 4;

    private static bool Shape(WorkerPool workers, int tokens, int past, int rounds)
    {
        AttentionShape shape = new(1, Heads, KeyValueHeads, tokens, past, Width, past + tokens);
        Random random = new(tokens);
        float[] query = Numbers(random, Heads * tokens * Width);
        float[] keys = Numbers(random, KeyValueHeads * shape.KeyTokens * Width);
        float[] values = Numbers(random, KeyValueHeads * shape.KeyTokens * Width);
        float[] context = new float[tokens * Heads * Width];
        using Tensor queryTensor = tensor(query).reshape(1, Heads, tokens, Width);
        using Tensor keyTensor = Repeated(keys, shape), valueTensor = Repeated(values, shape);
        void Ours() =>
            CausalAttention.Vectorised<Float32Precision>(workers, shape, query, keys, values, [], context, []);
        Tensor Theirs() => nn.functional.scaled_dot_product_attention(
            queryTensor, keyTensor, valueTensor, is_casual: tokens > 1);
        Placement.Fix(() =>
        {
            Ours();
            Theirs().Dispose();
        });

        using Tensor result = Theirs();
        float[] theirs = result.transpose(1, 2).contiguous().data<float>().ToArray();
        double distance = context.Select((value, index) => Math.Abs(value - (double)theirs[index])).Max();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"attention, {tokens} new and {past} cached tokens: largest distance {distance:E1}"));
        if (!(distance < 1e-5))
        {
            Console.Error.WriteLine("the two do not agree; nothing is timed");
            return false;
        }

        PairedRounds paired = new() { PauseMilliseconds = 30 };
        paired.Add("ours", Ours);
        paired.Add("libtorch scaled_dot_product_attention, float32", () => Theirs().Dispose());
        paired.Run(rounds);
        return true;
    }

    private static Tensor Repeated(float[] values, AttentionShape shape) => tensor(values)
        .reshape(1, KeyValueHeads, shape.KeyTokens, Width).repeat_interleave(Heads / KeyValueHeads, 1).contiguous();

    private static float[] Numbers(Random random, int count)
    {
        float[] numbers = new float[count];
        for (int index = 0; index < count; index++)
        {
            numbers[index] = (random.NextSingle() * 2) - 1;
        }

        return numbers;
    }
}
