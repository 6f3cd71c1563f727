using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Products with resident bf16 weights: single projections, and the routed experts of a layer.</summary>
internal static class ProjectionCases
{
    private const int SampledTokens = 3;
    private const int SampledOutputs = 32;

    /// <summary>The projections of a model, each for several numbers of rows.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="rowCounts">M.</param>
    /// <param name="rotation">Bytes of a set of weights.</param>
    /// <returns>The cases.</returns>
    public static IEnumerable<BenchmarkCase> Projections(
        BenchmarkShape shape, IReadOnlyList<int> rowCounts, long rotation)
    {
        ModelConfiguration model = shape.Configuration;
        (string Name, int Outputs, int Inputs)[] projections =
        [
            ("query_key_value", model.QueryKeyValueWidth, model.HiddenSize),
            ("attention dense", model.HiddenSize, model.QueryWidth),
            ("dense MLP gate, up", model.IntermediateSize, model.HiddenSize),
            ("dense MLP down", model.HiddenSize, model.IntermediateSize),
            ("lm_head", model.VocabularySize, model.HiddenSize),
            ("router", model.ExpertCount, model.HiddenSize),
        ];
        return projections.SelectMany(projection => rowCounts.Select(rows => Projection(
            shape.Name, projection.Name, rows, projection.Outputs, projection.Inputs, rotation)));
    }

    /// <summary>The routed experts of a layer; tokens are spread over all of them evenly.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="tokenCounts">M.</param>
    /// <param name="rotation">Bytes of a set of experts.</param>
    /// <returns>The cases.</returns>
    public static IEnumerable<BenchmarkCase> Experts(
        BenchmarkShape shape, IReadOnlyList<int> tokenCounts, long rotation)
    {
        ModelConfiguration model = shape.Configuration;
        int hidden = model.HiddenSize, inner = model.ExpertIntermediateSize, topK = model.ExpertsPerToken;
        long expertBytes = 2L * 3 * hidden * inner;
        return tokenCounts.Select(tokens =>
        {
            int hit = Math.Min(model.ExpertCount, tokens * topK);
            return new BenchmarkCase
            {
                Shape = shape.Name,
                Operator = "routed experts",
                Size = Rows(tokens),
                Floor = string.Create(
                    CultureInfo.InvariantCulture,
                    $"min({model.ExpertCount}, {topK}·M) experts of 2 B·3·{inner}·{hidden}, x and {topK} outputs a "
                    + $"token at 4 B; 2·{topK}·M·3·{inner}·{hidden} operations"),
                Bytes = (hit * (double)expertBytes) + (4.0 * tokens * hidden * (1 + topK)),
                Operations = 2.0 * tokens * topK * 3 * hidden * inner,
                Memory = (BenchmarkInputs.SetCount(expertBytes, rotation) * expertBytes)
                    + (tokens * (4L * hidden * (1 + topK) + (8L * topK * inner))),
                Weights = BenchmarkInputs.Key((inner, hidden), (inner, hidden), (hidden, inner)),
                Prepare = inputs => PrepareExperts(inputs, model, tokens),
            };
        });
    }

    private static string Rows(int rows) => string.Create(CultureInfo.InvariantCulture, $"M = {rows}");

    /// <summary>One projection with one number of rows.</summary>
    /// <param name="shape">The model's name.</param>
    /// <param name="name">The projection's.</param>
    /// <param name="rows">M.</param>
    /// <param name="outputs">N.</param>
    /// <param name="inputs">K.</param>
    /// <param name="rotation">Bytes of a set of weights.</param>
    /// <returns>The case.</returns>
    public static BenchmarkCase Projection(
        string shape, string name, int rows, int outputs, int inputs, long rotation)
    {
        long weightBytes = 2L * outputs * inputs;
        return new BenchmarkCase
        {
            Shape = shape,
            Operator = name,
            Size = Rows(rows),
            Floor = string.Create(
                CultureInfo.InvariantCulture,
                $"weights 2 B·{outputs}·{inputs} once, x and y 4 B·M·({inputs} + {outputs}); "
                + $"2·M·{outputs}·{inputs} operations"),
            Bytes = weightBytes + (4.0 * rows * ((double)inputs + outputs)),
            Operations = 2.0 * rows * outputs * inputs,
            Memory = (BenchmarkInputs.SetCount(weightBytes, rotation) * weightBytes)
                + (8L * rows * ((long)inputs + outputs)),
            Weights = BenchmarkInputs.Key((outputs, inputs)),
            Prepare = prepared =>
            {
                Rotation<WeightMatrix> weights = new(prepared.Weights((outputs, inputs)));
                float[] x = BenchmarkInputs.Values(rows * inputs, 1), y = new float[rows * outputs];
                void Multiply(WeightMatrix weight) => LinearProjection.Apply<Float32Precision>(
                    ExecutionEngine.Vector512, prepared.Workers, x, weight, [], y);
                return new PreparedCase(() => Multiply(weights.Next()), () =>
                {
                    WeightMatrix weight = weights.Next();
                    Multiply(weight);
                    int[] sampled = SampledRows.Spread(rows, SampledTokens);
                    int[] columns = SampledRows.Spread(outputs, SampledOutputs);
                    float[] expected = new float[sampled.Length * columns.Length];
                    LinearProjection.Apply<Float32Precision>(
                        ExecutionEngine.Scalar,
                        prepared.Workers,
                        SampledRows.Take(x, inputs, sampled),
                        new SampledRows(weight, columns),
                        [],
                        expected);
                    return new(expected, [.. sampled.SelectMany(row => columns.Select(n => y[(row * outputs) + n]))]);
                });
            },
        };
    }

    private static PreparedCase PrepareExperts(BenchmarkInputs inputs, ModelConfiguration model, int tokens)
    {
        int hidden = model.HiddenSize, inner = model.ExpertIntermediateSize, topK = model.ExpertsPerToken;
        IReadOnlyList<WeightMatrix> weights = inputs.Weights((inner, hidden), (inner, hidden), (hidden, inner));

        // As many experts as the model has, but on fewer weights; each is further away from itself than a cache holds.
        ExpertWeights[] distinct = [.. weights.Chunk(3).Select(part => new ExpertWeights(part[0], part[1], part[2]))];
        int first = 0;
        ExpertWeights Expert(int expert) => distinct[(expert + first) % distinct.Length];

        int[] chosen = [.. Enumerable.Range(0, tokens * topK).Select(index => index % model.ExpertCount)];
        ExpertDispatch dispatch = ExpertDispatch.Group(chosen, topK, model.ExpertCount);
        float[] x = BenchmarkInputs.Values(tokens * hidden, 1), outputs = new float[tokens * topK * hidden];
        void Feed() => RoutedExperts.Apply<Float32Precision>(
            ExecutionEngine.Vector512, inputs.Workers, quantiseActivations: false, x, dispatch, Expert, outputs);
        return new PreparedCase(
            () =>
            {
                first = (first + dispatch.ActiveExperts.Length) % distinct.Length;
                Feed();
            },
            () =>
            {
                Feed();
                int[] sampled = SampledRows.Spread(tokens, 1);
                float[] expected = new float[sampled.Length * topK * hidden];
                RoutedExperts.Apply<Float32Precision>(
                    ExecutionEngine.Scalar,
                    inputs.Workers,
                    quantiseActivations: false,
                    SampledRows.Take(x, hidden, sampled),
                    ExpertDispatch.Group(
                        [.. sampled.SelectMany(token => chosen[(token * topK)..((token + 1) * topK)])],
                        topK,
                        model.ExpertCount),
                    Expert,
                    expected);
                return new(expected, SampledRows.Take(outputs, topK * hidden, sampled));
            });
    }
}
