using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static System.FormattableString;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Causal attention: whole prompts, and one token after a long cache.</summary>
internal static class AttentionCases
{
    private const int SampledQueries = 4;

    /// <summary>The cases of a model.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="isQuick">Whether short ones are enough.</param>
    /// <param name="rotation">Bytes of a set of caches.</param>
    /// <returns>The cases.</returns>
    public static IEnumerable<BenchmarkCase> For(BenchmarkShape shape, bool isQuick, long rotation)
    {
        (int Tokens, int Past)[] sizes = isQuick ? [(256, 0), (1, 8191)] : [(512, 0), (4096, 0), (1, 32767)];
        return sizes.Select(size => Attention(shape, size.Tokens, size.Past, rotation));
    }

    /// <summary>One call of the operator.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="tokens">New tokens.</param>
    /// <param name="past">Tokens in the cache.</param>
    /// <param name="rotation">Bytes of a set of caches.</param>
    /// <returns>The case.</returns>
    public static BenchmarkCase Attention(BenchmarkShape shape, int tokens, int past, long rotation)
    {
        ModelConfiguration model = shape.Configuration;
        int heads = model.AttentionHeadCount, keyHeads = model.KeyValueHeadCount, width = model.HeadDimension;
        int keys = past + tokens;
        double pairs = ((double)tokens * past) + (tokens * (tokens + 1.0) / 2);
        long cacheBytes = 4L * 2 * keyHeads * keys * width;
        bool decode = past > 0;
        return new BenchmarkCase
        {
            Shape = shape.Name,
            Operator = decode ? "attention, decode" : "attention, prefill",
            Size = decode ? Invariant($"C = {keys}") : Invariant($"T = {tokens}"),
            Floor = decode
                ? Invariant($"keys and values 4 B·2·{keyHeads}·C·{width} once; 2·2·{heads}·C·{width} operations")
                : Invariant($"queries, keys, values, context 4 B·(2·{heads} + 2·{keyHeads})·T·{width}; ")
                    + Invariant($"2·2·{heads}·{width}·T(T + 1)/2 operations, softmax not counted"),
            Bytes = cacheBytes + (4.0 * 2 * heads * tokens * width),
            Operations = 4.0 * heads * width * pairs,
            Memory = (BenchmarkInputs.SetCount(cacheBytes, decode ? rotation : 1) * cacheBytes)
                + (8L * heads * tokens * width),
            Prepare = inputs => Prepare(
                inputs,
                new AttentionShape(1, heads, keyHeads, tokens, past, width, keys),
                decode ? inputs.SetCount(cacheBytes) : 1),
        };
    }

    private static PreparedCase Prepare(BenchmarkInputs inputs, AttentionShape shape, int caches)
    {
        int width = shape.HeadDim, tokens = shape.QueryTokens;
        float[] query = BenchmarkInputs.Values(shape.Heads * tokens * width, 1);
        float[] context = new float[query.Length];
        (float[] Keys, float[] Values) first = (
            BenchmarkInputs.Values(shape.KeyValueHeads * shape.KeyTokens * width, 2),
            BenchmarkInputs.Values(shape.KeyValueHeads * shape.KeyTokens * width, 3));
        Rotation<(float[] Keys, float[] Values)> rotation = new(
            [first, .. Enumerable.Range(1, caches - 1).Select(_ => (
                first.Keys.AsSpan().ToArray(), first.Values.AsSpan().ToArray()))]);
        void Attend((float[] Keys, float[] Values) cache) => CausalAttention.Apply<Float32Precision>(
            ExecutionEngine.Vector512, inputs.Workers, shape, query, cache.Keys, cache.Values, [], context, []);
        return new PreparedCase(() => Attend(rotation.Next()), () =>
        {
            Attend(first);
            List<float> expected = [], actual = [];
            foreach (int row in SampledRows.Spread(shape.Heads * tokens, SampledQueries))
            {
                // One query of one head alone: a token alone has the bits of the same token in a prompt.
                int head = row / tokens, token = row % tokens;
                AttentionShape alone = new(1, 1, 1, 1, shape.PastTokens + token, width, shape.KeyTokens);
                float[] one = new float[width];
                CausalAttention.Apply<Float32Precision>(
                    ExecutionEngine.Scalar,
                    inputs.Workers,
                    alone,
                    SampledRows.Take(query, width, [row]),
                    SampledRows.Take(first.Keys, shape.KeyTokens * width, [shape.KeyValueHead(head)]),
                    SampledRows.Take(first.Values, shape.KeyTokens * width, [shape.KeyValueHead(head)]),
                    [],
                    one,
                    []);
                expected.AddRange(one);
                actual.AddRange(context.AsSpan(((token * shape.Heads) + head) * width, width));
            }

            return new([.. expected], [.. actual]);
        });
    }
}
