using System;
using System.Collections.Generic;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Operators without weights, over the activations of a prompt; what bounds them is moving those.</summary>
internal static class ElementwiseCases
{
    /// <summary>Rough: e^x is eleven fused multiply-adds and eight other operations; it only places a dot.</summary>
    public const double ExponentialOperations = 30;

    private const int SoftmaxWidth = 512;
    private const int SoftmaxRowsPerToken = 16;

    /// <summary>The cases of a model.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="rotation">Bytes of a set of activations.</param>
    /// <returns>The cases.</returns>
    public static IEnumerable<BenchmarkCase> For(BenchmarkShape shape, int tokens, long rotation)
    {
        ModelConfiguration model = shape.Configuration;
        int hidden = model.HiddenSize, inner = model.IntermediateSize, topK = model.ExpertsPerToken;
        int heads = model.AttentionHeadCount, headDim = model.HeadDimension;
        RowwiseCase tokenRows = new() { Shape = shape.Name, Rows = tokens, Tokens = tokens, Rotation = rotation };
        return
        [
            (tokenRows with
            {
                Operator = "RmsNorm",
                First = hidden,
                Output = hidden,
                OperationsPerOutput = 4,
                Apply = Norm(hidden, model.RmsNormEpsilon),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "RmsNorm, query heads",
                Rows = tokens * heads,
                First = headDim,
                Output = headDim,
                OperationsPerOutput = 4,
                Apply = Norm(headDim, model.RmsNormEpsilon),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "RotaryEmbedding, queries",
                Rows = heads, // a row is all tokens of a head
                First = tokens * headDim,
                Output = tokens * headDim,
                OperationsPerOutput = 3.0 * model.Rotary.RotaryDimension / headDim,
                Apply = Rotate(tokens, headDim, model.Rotary.RotaryDimension),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "softmax",
                Rows = tokens * SoftmaxRowsPerToken,
                First = SoftmaxWidth,
                Output = SoftmaxWidth,
                OperationsPerOutput = ExponentialOperations + 4,
                Apply = Softmax,
            }).ToCase(),
            (tokenRows with
            {
                Operator = "SwiGlu",
                First = inner,
                Second = inner,
                Output = inner,
                OperationsPerOutput = ExponentialOperations + 20,
                Apply = (engine, workers, gate, up, y) =>
                    SwiGlu.Apply<Float32Precision>(engine, gate, up, y, workers),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "ResidualAdd",
                First = hidden,
                Second = hidden,
                Output = hidden,
                OperationsPerOutput = 1,
                Apply = (engine, workers, x, update, y) =>
                    ResidualAdd.Apply<Float32Precision>(engine, x, update, y, workers),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "ExpertCombine",
                First = topK * hidden,
                Second = topK,
                Output = hidden,
                OperationsPerOutput = 2.0 * topK,
                Apply = (engine, workers, outputs, weights, y) =>
                    ExpertCombine.Apply<Float32Precision>(engine, outputs, weights, topK, y, workers),
            }).ToCase(),
            (tokenRows with
            {
                Operator = "router scores, top-k",
                First = model.ExpertCount,
                Output = 2 * topK, // weights and indices
                OperationsPerOutput = (ExponentialOperations + 20) * model.ExpertCount / (2.0 * topK),
                Apply = Route(model, tokens),
            }).ToCase(),
        ];
    }

    private static RowwiseOperator Norm(int width, double epsilon)
    {
        float[] weight = BenchmarkInputs.Values(width, 7);
        return (engine, workers, x, _, y) =>
            RmsNorm.Apply<Float32Precision>(engine, x, weight, (float)epsilon, y, workers);
    }

    private static RowwiseOperator Rotate(int tokens, int headDim, int rotaryDim)
    {
        float[] cosine = BenchmarkInputs.Values(tokens * rotaryDim, 7);
        float[] sine = BenchmarkInputs.Values(tokens * rotaryDim, 8);
        return (engine, workers, x, _, y) => RotaryEmbedding.Apply<Float32Precision>(
            engine, x, x.Length / (tokens * headDim), tokens, headDim, cosine, sine, rotaryDim, y, workers);
    }

    private static RowwiseOperator Route(ModelConfiguration model, int tokens)
    {
        RouterShape shape = new(
            model.ExpertCount,
            model.GroupCount,
            model.ChosenGroupCount,
            model.ExpertsPerToken,
            (float)model.RoutedScalingFactor);
        float[] bias = BenchmarkInputs.Values(model.ExpertCount, 7);
        float[] scores = new float[tokens * model.ExpertCount], margins = new float[tokens];
        int[] chosen = new int[tokens * shape.TopK];
        return (engine, workers, logits, _, y) =>
        {
            int rows = logits.Length / shape.Experts, assignments = rows * shape.TopK;
            RouterScores.Apply(engine, logits, scores.AsSpan(0, logits.Length), workers);
            GroupLimitedTopK.Apply(
                engine,
                shape,
                scores.AsSpan(0, logits.Length),
                bias,
                chosen.AsSpan(0, assignments),
                y.AsSpan(0, assignments),
                margins.AsSpan(0, rows),
                workers);
            for (int row = rows - 1; row >= 0; row--)
            {
                // [rows, topK] spreads to [rows, weights then indices]; from the end, so that nothing is overwritten.
                Span<float> output = y.AsSpan(2 * row * shape.TopK, 2 * shape.TopK);
                y.AsSpan(row * shape.TopK, shape.TopK).CopyTo(output);
                for (int k = 0; k < shape.TopK; k++)
                {
                    output[shape.TopK + k] = chosen[(row * shape.TopK) + k];
                }
            }
        };
    }

    // Attention calls it row by row on every thread; so does this.
    private static void Softmax(
        ExecutionEngine engine, WorkerPool workers, float[] scores, float[] second, float[] y) =>
        workers.Run(scores.Length / SoftmaxWidth, (first, end, _) =>
        {
            for (int start = first * SoftmaxWidth; start < end * SoftmaxWidth; start += SoftmaxWidth)
            {
                if (engine == ExecutionEngine.Scalar)
                {
                    Operators.Softmax.Scalar<Float32Precision>(
                        scores.AsSpan(start, SoftmaxWidth), [], y.AsSpan(start, SoftmaxWidth));
                }
                else
                {
                    Operators.Softmax.Vectorised<Float32Precision>(
                        scores.AsSpan(start, SoftmaxWidth), [], y.AsSpan(start, SoftmaxWidth));
                }
            }
        });
}
