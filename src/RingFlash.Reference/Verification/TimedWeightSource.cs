using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>A source that adds up the time spent making or reading weights, over all threads.</summary>
internal sealed class TimedWeightSource : IWeightSource
{
    private readonly IWeightSource inner;
    private long ticks;

    /// <summary>Wraps a source; does not own it.</summary>
    /// <param name="inner">The source.</param>
    public TimedWeightSource(IWeightSource inner) => this.inner = inner;

    /// <inheritdoc/>
    public string Description => inner.Description;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    /// <summary>The time so far, summed over threads.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref ticks));

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Read(tensor, firstElement, destination);
        Add(start);
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        long start = Stopwatch.GetTimestamp();
        inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
        Add(start);
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
        long start = Stopwatch.GetTimestamp();
        bool fits = inner.PackPanel(tensor, firstRow, firstColumn, columnCount, format, scratch, panel);
        Add(start);
        return fits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The wrapped source belongs to whoever made it.
    }

    private void Add(long start) => Interlocked.Add(ref ticks, Stopwatch.GetTimestamp() - start);
}
