using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Runs a case of kind <c>fp8-gemm</c>: the code table, activation quantisation and the block-scaled product.
/// </summary>
internal static class Float8Case
{
    /// <summary>Runs.</summary>
    /// <param name="context">The case and where it goes.</param>
    public static void Run(CaseContext context)
    {
        GoldenCase golden = context.Golden;
        CaseRecorder recorder = context.Recorder;
        CompareCodes(context);

        TensorInfo activationTensor = golden.File.RequireTensor("activation");
        TensorInfo codeTensor = golden.File.RequireTensor("weight.quantized");
        Float8BlockMatrix weight = new(golden.File, codeTensor, golden.File.RequireTensor("weight.scale_inv"));
        int inputs = weight.Inputs, outputs = weight.Outputs;
        float[] activation = golden.File.ReadAllSingle(activationTensor);
        int tokens = activation.Length / inputs;
        golden.CheckShape("activation", tokens, inputs);
        golden.CheckShape("weight", outputs, inputs);
        if (tokens == 0 || (long)tokens * outputs > Array.MaxLength)
        {
            throw new InvalidInputException(
                golden.File.Description, "activation", $"{tokens} tokens; at least 1 and a product that fits an array");
        }

        recorder.MarkSeen("activation");
        recorder.MarkSeen("weight");
        recorder.MarkSeen("weight.scale_inv");
        CompareWeight(context, weight);

        float[] codes = new float[activation.Length];
        float[] scales = new float[tokens * ((inputs + Summation.BlockLength - 1) / Summation.BlockLength)];
        LinearProjection.QuantiseActivations(activation, inputs, codes, scales);
        CompareExact(context, "activation.scale", nameof(LinearProjection), scales);
        CompareExact(context, "activation.quantized", nameof(LinearProjection), codes);

        float[] product = Project(context, activation, weight, quantiseActivations: true);
        float[] gauge = Gauge(codes, scales, weight, tokens);
        Origin origin = Origin.Of(
            nameof(LinearProjection),
            ErrorBudget.ProductWeight(inputs),
            [],
            () => Tensor(gauge),
            ErrorBudget.ProductUnits(inputs) + 2,
            1);
        Compare(context, "output", product, origin);
        CompareDouble(context, "output.float64", product, origin);
        Compare(context, "output.bf16", Array.ConvertAll(product, BFloat16.Round), origin);

        if (recorder.Wants("unquantized.output", out _) && golden.File.TryGetTensor("weight", out TensorInfo? plain))
        {
            SourceMatrix plainWeight = new(golden.File, plain, false);
            float[] unquantised = Project(context, activation, plainWeight, quantiseActivations: false);
            float[] plainGauge = new float[product.Length];
            LinearProjection.Apply<Float32Precision>(
                ExecutionEngine.Vector512,
                context.Workers,
                Array.ConvertAll(activation, Math.Abs),
                new AbsoluteMatrix(plainWeight),
                [],
                plainGauge);
            Compare(context, "unquantized.output", unquantised, origin with { Gauge = () => Tensor(plainGauge) });
        }
    }

    private static float[] Project(
        CaseContext context, float[] activation, WeightMatrix weight, bool quantiseActivations)
    {
        HostTensor<float> x = new(activation.Length / weight.Inputs, weight.Inputs);
        activation.CopyTo(x.Values, 0);
        return context.Operators(context.Engine, Float32Precision.Name, context.Workers, quantiseActivations)
            .LinearProjection(x, weight, [])
            .Values;
    }

    private static void CompareCodes(CaseContext context)
    {
        float[] values = [.. Enumerable.Range(0, 256).Select(code => Float8E4M3.ToSingle((byte)code))];
        CompareExact(context, "e4m3.values", "Float8E4M3", values);
        if (context.Golden.File.TryGetTensor("e4m3.encode.input", out TensorInfo? inputs))
        {
            context.Recorder.MarkSeen(inputs.Name);
            float[] decoded = Array.ConvertAll(
                context.Golden.File.ReadAllSingle(inputs), value => Float8E4M3.ToSingle(Float8E4M3.FromSingle(value)));
            CompareExact(context, "e4m3.encode.code", "Float8E4M3", decoded);
        }
    }

    private static void CompareWeight(CaseContext context, Float8BlockMatrix weight)
    {
        float[] dequantised = new float[weight.Outputs * weight.Inputs];
        float[] requantised = new float[dequantised.Length];
        float[] plain = context.Golden.File.TryGetTensor("weight", out TensorInfo? tensor)
            ? context.Golden.File.ReadAllSingle(tensor)
            : [];
        for (int row = 0; row < weight.Outputs; row++)
        {
            weight.ReadRow(row, dequantised.AsSpan(row * weight.Inputs, weight.Inputs));
            for (int column = 0; column < weight.Inputs && plain.Length > 0; column++)
            {
                int index = (row * weight.Inputs) + column;
                float scale = weight.RowScales(row)[column / Float8BlockMatrix.BlockSize];
                requantised[index] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(plain[index] / scale));
            }
        }

        CompareExact(context, "weight.dequantized", "Float8BlockMatrix", dequantised);
        if (plain.Length > 0)
        {
            CompareExact(context, "weight.quantized", "Float8E4M3", requantised);
        }
    }

    private static float[] Gauge(float[] codes, float[] scales, Float8BlockMatrix weight, int tokens)
    {
        int inputs = weight.Inputs, blocks = scales.Length / tokens;
        float[] gauge = new float[tokens * weight.Outputs], row = new float[inputs];
        for (int n = 0; n < weight.Outputs; n++)
        {
            weight.ReadRow(n, row);
            for (int t = 0; t < tokens; t++)
            {
                double sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    float scale = scales[(t * blocks) + (k / Summation.BlockLength)];
                    sum += Math.Abs((double)codes[(t * inputs) + k] * scale * row[k]);
                }

                gauge[(t * weight.Outputs) + n] = (float)sum;
            }
        }

        return gauge;
    }

    private static HostTensor<float> Tensor(float[] values)
    {
        HostTensor<float> tensor = new(values.Length);
        values.CopyTo(tensor.Values, 0);
        return tensor;
    }

    private static void CompareExact(CaseContext context, string name, string operatorName, float[] ours)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            context.Recorder.Add(ModelCase.CompareExact(tap, operatorName, ours, context.Golden));
        }
    }

    private static void Compare(CaseContext context, string name, float[] ours, Origin origin)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            bool isBFloat16 = tap.ElementType == ElementType.BFloat16;
            context.Recorder.Add(TapComparison.Compare(
                name,
                ours,
                context.Golden.File.ReadAllSingle(tap),
                [.. tap.Shape],
                TokenOf(tap),
                _ => false,
                origin,
                new TapComparison.Terms(isBFloat16, isBFloat16)));
        }
    }

    private static void CompareDouble(CaseContext context, string name, float[] ours, Origin origin)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            // The float64 product rounded to float32: 1 more unit on a side that has none of its own.
            float[] golden = Array.ConvertAll(context.Golden.File.ReadAllDouble(tap), value => (float)value);
            TapComparison.Terms terms = new(false, false);
            context.Recorder.Add(
                TapComparison.Compare(name, ours, golden, [.. tap.Shape], TokenOf(tap), _ => false, origin, terms));
        }
    }

    private static Func<int, int> TokenOf(TensorInfo tap)
    {
        int width = tap.Shape.Count == 0 ? 1 : (int)tap.Shape[^1];
        return index => index / width;
    }
}
