using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>Synthetic weights of any stored type.</summary>
internal static class RandomWeight
{
    /// <summary>A matrix; its values are generated when they are read.</summary>
    /// <param name="format">bf16, f32 or fp8.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="seed">Names the values.</param>
    /// <returns>The matrix, not packed.</returns>
    public static WeightMatrix Create(string format, int outputs, int inputs, int seed)
    {
        ElementType type = format == "bf16" ? ElementType.BFloat16
            : format == "f32" ? ElementType.Float32 : ElementType.Float8E4M3;
        TensorInfo tensor = new("benchmark.weight", type, [outputs, inputs]);
        TensorInfo scales = new("benchmark.scales", ElementType.Float32, [(outputs + 127) / 128, (inputs + 127) / 128]);
        SyntheticSource source = new("benchmark", (ulong)seed, [tensor, scales]);
        return format == "fp8"
            ? new Float8BlockMatrix(new CodeSource(source), tensor, scales)
            : new SourceMatrix(source, tensor, roundToBFloat16: false);
    }

    /// <summary>Synthetic values rounded to e4m3; the scales stay as they are.</summary>
    private sealed class CodeSource(SyntheticSource inner) : IWeightSource
    {
        private const float Spread = 4096f; // brings the values into the middle of e4m3's range

        public string Description => inner.Description;

        public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

        public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
            inner.TryGetTensor(name, out tensor);

        public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
        {
            inner.Read(tensor, firstElement, destination);
            Round(tensor, destination);
        }

        public void ReadPanel(
            TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
        {
            inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
            Round(tensor, panel);
        }

        public void Dispose() => inner.Dispose();

        private static void Round(TensorInfo tensor, Span<float> values)
        {
            for (int index = 0; index < values.Length && tensor.ElementType == ElementType.Float8E4M3; index++)
            {
                values[index] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(values[index] * Spread));
            }
        }
    }
}
