// Red here means that an innocent candidate of the tests below is none; no product defect.
using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>Products in one chain from the first to the last, every product rounded: plain C.</summary>
internal sealed class ForwardChain(WorkerPool workers)
    : Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers)
{
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        HostTensor<float> y = Product(x, weight, [.. x.Shape[..^1], weight.Outputs]);
        for (int index = 0; index < y.Values.Length && bias.Length > 0; index++)
        {
            y.Values[index] += bias[index % bias.Length];
        }

        return y;
    }

    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate) =>
        Product(x, gate, [x.Rows, gate.Outputs]);

    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        HostTensor<float> y = new(x.Shape);
        for (int row = 0; row < x.Rows; row++)
        {
            float squares = 0;
            foreach (float value in x.Row(row))
            {
                squares += value * value;
            }

            float root = MathF.Sqrt((squares / x.Width) + epsilon);
            for (int index = 0; index < x.Width; index++)
            {
                y.Row(row)[index] = x.Row(row)[index] / root * weight[index];
            }
        }

        return y;
    }

    private static HostTensor<float> Product(HostTensor<float> x, WeightMatrix weight, int[] shape)
    {
        HostTensor<float> y = new(shape);
        float[] weights = new float[weight.Inputs];
        for (int output = 0; output < weight.Outputs; output++)
        {
            weight.ReadRow(output, weights);
            for (int row = 0; row < x.Rows; row++)
            {
                float sum = 0;
                for (int k = 0; k < weights.Length; k++)
                {
                    sum += x.Row(row)[k] * weights[k];
                }

                y.Row(row)[output] = sum;
            }
        }

        return y;
    }
}
