using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// A source that remembers which tensors were read: of the experts, those that a token was routed to.
/// </summary>
internal sealed class TouchedSource : IWeightSource
{
    private readonly IWeightSource inner;
    private readonly ConcurrentDictionary<string, bool> touched = new(StringComparer.Ordinal);

    /// <summary>Wraps a source; does not own it.</summary>
    /// <param name="inner">The source.</param>
    public TouchedSource(IWeightSource inner) => this.inner = inner;

    /// <inheritdoc/>
    public string Description => inner.Description;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    /// <summary>The names of the tensors read so far, sorted.</summary>
    public IReadOnlyList<string> Touched => [.. touched.Keys.Order(StringComparer.Ordinal)];

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        touched.TryAdd(tensor.Name, true);
        inner.Read(tensor, firstElement, destination);
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        touched.TryAdd(tensor.Name, true);
        inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
    }

    /// <inheritdoc/>
    public bool PackPanel(
        TensorInfo tensor,
        long firstRow,
        long firstColumn,
        int columnCount,
        PanelFormat format,
        Span<float> scratch,
        Span<byte> panel)
    {
        touched.TryAdd(tensor.Name, true);
        return inner.PackPanel(tensor, firstRow, firstColumn, columnCount, format, scratch, panel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The wrapped source belongs to whoever made it.
    }
}
