// Shared by the model tests: block-FP8 weights made in memory. No product code is tested by this file alone.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Model;

/// <summary>
/// Quantises what another source makes: scale = largest absolute value of the block / 448, code = e4m3(value / scale).
/// </summary>
internal sealed class Float8Source(IWeightSource inner) : IWeightSource
{
    private readonly ConcurrentDictionary<string, (float[] Codes, float[] Scales)> quantised = new();

    public string Description => "fp8 of " + inner.Description;

    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        if (Find(tensor) is float[] values)
        {
            values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);
        }
        else
        {
            inner.Read(tensor, firstElement, destination);
        }
    }

    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        if (Find(tensor) is not float[] values)
        {
            inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
            return;
        }

        for (int k = 0; k < columnCount; k++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                long row = firstRow + lane;
                panel[(k * 32) + lane] = row < tensor.Shape[0]
                    ? values[(row * tensor.Shape[1]) + firstColumn + k]
                    : 0f;
            }
        }
    }

    public void Dispose() => inner.Dispose();

    private float[]? Find(TensorInfo tensor)
    {
        if (tensor.ElementType == ElementType.Float8E4M3)
        {
            return quantised.GetOrAdd(tensor.Name, Quantise).Codes;
        }

        return tensor.Name.EndsWith(TensorCatalog.ScaleSuffix, StringComparison.Ordinal)
            ? quantised.GetOrAdd(tensor.Name[..^TensorCatalog.ScaleSuffix.Length], Quantise).Scales
            : null;
    }

    private (float[] Codes, float[] Scales) Quantise(string name)
    {
        TensorInfo tensor = inner.RequireTensor(name);
        int rows = (int)tensor.Shape[0], columns = (int)tensor.Shape[1], blocks = (columns + 127) / 128;
        float[] values = inner.ReadVector(name);
        float[] scales = new float[(rows + 127) / 128 * blocks];
        for (int index = 0; index < values.Length; index++)
        {
            int block = (index / columns / 128 * blocks) + (index % columns / 128);
            scales[block] = Math.Max(scales[block], Math.Abs(values[index]) / 448f);
        }

        for (int index = 0; index < values.Length; index++)
        {
            int block = (index / columns / 128 * blocks) + (index % columns / 128);
            values[index] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(values[index] / scales[block]));
        }

        return (values, scales);
    }
}
