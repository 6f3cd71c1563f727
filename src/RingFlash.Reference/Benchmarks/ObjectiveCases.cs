using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Value and gradient of IcePop; its size does not depend on the model.</summary>
internal static class ObjectiveCases
{
    private const int BytesPerToken = (3 * sizeof(float)) + 1 + sizeof(float);

    /// <summary>The shape's name in reports.</summary>
    public const string ShapeName = "objective";

    /// <summary>The case.</summary>
    /// <param name="rollouts">Responses.</param>
    /// <param name="response">Tokens of each.</param>
    /// <param name="rotation">Bytes of a set of batches.</param>
    /// <returns>The case.</returns>
    public static BenchmarkCase For(int rollouts, int response, long rotation)
    {
        long tokens = (long)rollouts * response, bytes = tokens * BytesPerToken;
        return new BenchmarkCase
        {
            Shape = ShapeName,
            Operator = "IcePop value, gradient",
            Size = string.Create(CultureInfo.InvariantCulture, $"{rollouts}×{response}"),
            Floor = "three log-probabilities and a mask read, a gradient written: 17 B a token; "
                + "two exponentials and about 15 operations",
            Bytes = bytes,
            Operations = tokens * ((2 * ElementwiseCases.ExponentialOperations) + 15),
            Memory = bytes * BenchmarkInputs.SetCount(bytes, rotation),
            Prepare = inputs => Prepare(inputs, rollouts, response, inputs.SetCount(bytes)),
        };
    }

    private static PreparedCase Prepare(BenchmarkInputs inputs, int rollouts, int response, int sets)
    {
        int tokens = rollouts * response;
        float[] old = BenchmarkInputs.Values(tokens, 1), current = Near(old, 2), inference = Near(old, 3);
        float[] advantages = BenchmarkInputs.Values(rollouts, 4);
        byte[] mask = [.. Enumerable.Range(0, tokens).Select(token => (byte)(token % response < response - 7 ? 1 : 0))];
        (RolloutBatchSingle Batch, float[] Gradient)[] batches = [.. Enumerable.Range(0, sets).Select(_ => (
            new RolloutBatchSingle(
                rollouts,
                response,
                current.AsSpan().ToArray(),
                old.AsSpan().ToArray(),
                inference.AsSpan().ToArray(),
                advantages,
                mask.AsSpan().ToArray()),
            new float[tokens]))];
        Rotation<(RolloutBatchSingle Batch, float[] Gradient)> rotation = new(batches);
        float Evaluate(ExecutionEngine engine, (RolloutBatchSingle Batch, float[] Gradient) set) =>
            PolicyObjective.ValueAndGradient(engine, set.Batch, set.Gradient, workers: inputs.Workers);
        return new PreparedCase(() => Evaluate(ExecutionEngine.Vector512, rotation.Next()), () =>
        {
            float[] gradient = batches[0].Gradient, expected = new float[tokens];
            float value = Evaluate(ExecutionEngine.Vector512, batches[0]);
            float definition = Evaluate(ExecutionEngine.Scalar, (batches[0].Batch, expected));
            return new([definition, .. expected], [value, .. gradient]);
        });
    }

    // Log-probabilities of two engines differ by a few hundredths; some tokens leave the band.
    private static float[] Near(float[] values, ulong seed) =>
        [.. BenchmarkInputs.Values(values.Length, seed).Select((noise, index) =>
            values[index] + (noise * (index % 100 == 0 ? 8f : 0.1f)))];
}
