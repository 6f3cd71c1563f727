using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>A few layers as a whole: a prompt, and one token after it.</summary>
internal static class ModelCases
{
    private const int SparseLayers = 2;
    private const int Turns = 64;

    /// <summary>The cases of a model.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="isQuick">Whether fewer experts are enough.</param>
    /// <returns>The cases.</returns>
    public static IEnumerable<BenchmarkCase> For(BenchmarkShape shape, bool isQuick)
    {
        // As many tokens per expert as 512 tokens bring to 256 experts: 16.
        int experts = Math.Min(shape.Configuration.ExpertCount, isQuick ? 16 : 64);
        int prompt = 16 * experts / shape.Configuration.ExpertsPerToken;
        ModelConfiguration slice = ModelSlice.Cut(shape.Configuration, SparseLayers, experts);
        int topK = slice.ExpertsPerToken;
        double head = (double)slice.VocabularySize * slice.HiddenSize;
        double cachePerToken = 4.0 * 2 * slice.KeyValueHeadCount * slice.HeadDimension * slice.LayerCount;
        double pairOperations = 4.0 * slice.QueryWidth * slice.LayerCount;
        string layers = string.Create(
            CultureInfo.InvariantCulture,
            $"{slice.FirstDenseLayerCount} dense + {SparseLayers} sparse layers, {experts} experts, vocabulary "
            + $"{slice.VocabularySize}: ");
        BenchmarkCase common = new()
        {
            Shape = shape.Name,
            Operator = string.Empty,
            Size = string.Empty,
            Floor = string.Empty,
            Bytes = 0,
            Operations = 0,
            Memory = ModelSlice.ResidentBytes(slice) + (64L << 20) + (prompt * 64L * slice.HiddenSize * topK),
            Weights = slice,
        };
        return
        [
            common with
            {
                Operator = "model, prefill",
                Size = string.Create(CultureInfo.InvariantCulture, $"T = {prompt}"),
                Floor = layers + "every weight 2 B once; 2·T operations a weight that a token uses (the head: 2), "
                    + "attention pairs",
                Bytes = 2 * ModelSlice.ActiveWeights(slice, experts),
                Operations = (2 * prompt * (ModelSlice.ActiveWeights(slice, topK) - head)) + (2 * head)
                    + (pairOperations * prompt * (prompt + 1) / 2),
                Prepare = inputs => Prefill(inputs, Slice(slice, inputs), prompt),
            },
            common with
            {
                Operator = "model, decode",
                Size = string.Create(CultureInfo.InvariantCulture, $"C = {prompt + 1}"),
                Floor = layers + $"every weight that a token uses 2 B once, the cache once; 2 operations a weight",
                Bytes = (2 * ModelSlice.ActiveWeights(slice, topK)) + (cachePerToken * (prompt + 1)),
                Operations = (2 * ModelSlice.ActiveWeights(slice, topK)) + (pairOperations * (prompt + 1)),
                Prepare = inputs => Decode(inputs, Slice(slice, inputs), prompt),
            },
        ];
    }

    /// <summary>A prompt.</summary>
    /// <param name="inputs">The threads.</param>
    /// <param name="slice">The model.</param>
    /// <param name="prompt">Tokens.</param>
    /// <returns>The case.</returns>
    public static PreparedCase Prefill(BenchmarkInputs inputs, ModelSlice slice, int prompt)
    {
        RingFlashModel<float> model = slice.On(ExecutionEngine.Vector512, inputs.Workers);
        ForwardInput tokens = slice.Tokens(prompt, 1);
        return new PreparedCase(() => model.Forward(tokens), () =>
        {
            // The last token alone, after a cache of the others, has the bits of the whole prompt.
            KeyValueCache<float> cache = new(slice.Configuration, batch: 1, capacity: prompt);
            model.Forward(slice.Tokens(prompt - 1, 1), cache);
            ForwardInput last = tokens with { Ids = tokens.Ids[^1..] };
            return new(Scalar(inputs, slice, last, cache), model.Forward(tokens).Logits.Values);
        });
    }

    /// <summary>One token after a prompt.</summary>
    /// <param name="inputs">The threads.</param>
    /// <param name="slice">The model.</param>
    /// <param name="prompt">Tokens of the prompt.</param>
    /// <returns>The case.</returns>
    public static PreparedCase Decode(BenchmarkInputs inputs, ModelSlice slice, int prompt)
    {
        RingFlashModel<float> model = slice.On(ExecutionEngine.Vector512, inputs.Workers);
        KeyValueCache<float> cache = new(slice.Configuration, batch: 1, capacity: prompt + 1);
        model.Forward(slice.Tokens(prompt, 1), cache);

        // Other tokens go to other experts.
        Rotation<ForwardInput> next = new([.. Enumerable.Range(2, Turns).Select(turn => slice.Tokens(1, (ulong)turn))]);
        float[] Step(ForwardInput token)
        {
            float[] logits = model.Forward(token, cache).Logits.Values;
            cache.Truncate(prompt);
            return logits;
        }

        return new PreparedCase(() => Step(next.Next()), () =>
        {
            ForwardInput token = next.Next();
            float[] expected = Scalar(inputs, slice, token, cache);
            cache.Truncate(prompt);
            return new(expected, Step(token));
        });
    }

    private static ModelSlice Slice(ModelConfiguration slice, BenchmarkInputs inputs) =>
        inputs.Keep(slice, () => new ModelSlice(slice, inputs.Workers));

    private static float[] Scalar(
        BenchmarkInputs inputs, ModelSlice slice, ForwardInput token, KeyValueCache<float> cache) =>
        slice.On(ExecutionEngine.Scalar, inputs.Workers).Forward(token, cache).Logits.Values;
}
