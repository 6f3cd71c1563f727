// A weight source in memory for the operator tests. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Operators;

/// <summary>Named arrays; codes are held as the numbers that they stand for.</summary>
internal sealed class MemorySource : IWeightSource
{
    private readonly Dictionary<string, (TensorInfo Info, float[] Values)> tensors = [];

    public string Description => "memory";

    public IReadOnlyCollection<TensorInfo> Tensors => [.. tensors.Values.Select(tensor => tensor.Info)];

    /// <summary>A block-FP8 matrix with random codes of every kind but NaN and random scales that are no powers of
    /// two.</summary>
    public static Float8BlockMatrix Float8(int outputs, int inputs, int seed)
    {
        Random random = new(seed);
        float[] codes = new float[outputs * inputs];
        for (int i = 0; i < codes.Length; i++)
        {
            int code = random.Next(256);
            codes[i] = Float8E4M3.ToSingle((byte)((code & 0x7F) == 0x7F ? 0 : code));
        }

        int rows = (outputs + 127) / 128, columns = (inputs + 127) / 128;
        float[] scales = new float[rows * columns];
        for (int i = 0; i < scales.Length; i++)
        {
            scales[i] = (float)(0.001 + (0.01 * random.NextDouble()));
        }

        MemorySource source = new();
        return new Float8BlockMatrix(
            source,
            source.Add("codes", ElementType.Float8E4M3, codes, outputs, inputs),
            source.Add("scales", ElementType.Float32, scales, rows, columns));
    }

    public TensorInfo Add(string name, ElementType type, float[] values, params long[] shape)
    {
        TensorInfo info = new(name, type, shape);
        tensors[name] = (info, values);
        return info;
    }

    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        bool found = tensors.TryGetValue(name, out (TensorInfo Info, float[] Values) entry);
        tensor = entry.Info;
        return found;
    }

    public void Read(TensorInfo tensor, long firstElement, Span<float> destination) =>
        tensors[tensor.Name].Values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);

    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
        new DenseMatrix((int)tensor.Shape[0], (int)tensor.Shape[1], tensors[tensor.Name].Values)
            .ReadPanel((int)firstRow, (int)firstColumn, columnCount, panel);

    public void Dispose()
    {
    }
}
