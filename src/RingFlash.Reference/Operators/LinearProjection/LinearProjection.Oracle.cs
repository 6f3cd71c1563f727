using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LinearProjection
{
    /// <summary>The same sum in float64; only for measuring error.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, inputs], float64, read.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float64, written.</param>
    public static unsafe void Exact(
        WorkerPool workers, ReadOnlySpan<double> x, WeightMatrix weight, ReadOnlySpan<float> bias, Span<double> y)
    {
        int inputs = weight.Inputs, outputs = weight.Outputs, tokens = x.Length / inputs;
        fixed (double* xPointer = x, yPointer = y)
        fixed (float* biasPointer = bias)
        {
            nint xAddress = (nint)xPointer, biasAddress = (nint)biasPointer, yAddress = (nint)yPointer;
            workers.Run(outputs, (first, end, _) =>
            {
                float[] row = new float[inputs];
                for (int n = first; n < end; n++)
                {
                    weight.ReadRow(n, row);
                    for (int t = 0; t < tokens; t++)
                    {
                        double* input = (double*)xAddress + ((long)t * inputs);
                        double sum = biasAddress == 0 ? 0 : ((float*)biasAddress)[n];
                        for (int k = 0; k < row.Length; k++)
                        {
                            sum += input[k] * row[k];
                        }

                        ((double*)yAddress)[((long)t * outputs) + n] = sum;
                    }
                }
            });
        }
    }
}
