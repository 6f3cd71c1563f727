using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.BitsProbe;

/// <summary>Rounds what another source makes to numbers of e4m3, where it says that it holds codes.</summary>
internal sealed class CodeSource(IWeightSource inner) : IWeightSource
{
    public string Description => inner.Description;

    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        inner.Read(tensor, firstElement, destination);
        Round(tensor, destination);
    }

    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
        Round(tensor, panel);
    }

    public void Dispose() => inner.Dispose();

    private static void Round(TensorInfo tensor, Span<float> values)
    {
        for (int index = 0; index < values.Length && tensor.ElementType == ElementType.Float8E4M3; index++)
        {
            values[index] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(values[index] * 16f));
        }
    }
}
