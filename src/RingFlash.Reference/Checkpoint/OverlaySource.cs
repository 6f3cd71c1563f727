using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Two sources as one: a tensor that the first has comes from there, any other from the second. A golden fp8 case keeps
/// its quantised matrices as <c>weights.NAME</c> beside its taps, and everything else is synthetic.
/// </summary>
public sealed class OverlaySource : IWeightSource
{
    private readonly IWeightSource first;
    private readonly IWeightSource second;
    private readonly bool ownsFirst;
    private readonly Dictionary<string, (IWeightSource Source, TensorInfo Inner, TensorInfo Outer)> tensors;

    /// <summary>Lays one source over another; the second is disposed with this one.</summary>
    /// <param name="first">The source that wins.</param>
    /// <param name="second">The source for everything else.</param>
    /// <param name="prefix">
    /// Only names of the first source that begin with it count, and they lose it, e.g. <c>weights.</c>; empty for all.
    /// </param>
    /// <param name="ownsFirst">Whether the first source is disposed with this one too.</param>
    public OverlaySource(IWeightSource first, IWeightSource second, string prefix = "", bool ownsFirst = true)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(prefix);
        this.first = first;
        this.second = second;
        this.ownsFirst = ownsFirst;
        tensors = second.Tensors.ToDictionary(tensor => tensor.Name, tensor => (second, tensor, tensor));
        foreach (TensorInfo tensor in first.Tensors)
        {
            if (tensor.Name.StartsWith(prefix, StringComparison.Ordinal))
            {
                TensorInfo outer = tensor with { Name = tensor.Name[prefix.Length..] };
                tensors[outer.Name] = (first, tensor, outer);
            }
        }

        Tensors = [.. tensors.Values.Select(entry => entry.Outer)];
    }

    /// <summary>The source for everything that the first does not hold.</summary>
    internal IWeightSource Under => second;

    /// <inheritdoc/>
    public string Description => $"{first.Description} over {second.Description}";

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        bool found = tensors.TryGetValue(name, out (IWeightSource Source, TensorInfo Inner, TensorInfo Outer) entry);
        tensor = found ? entry.Outer : null;
        return found;
    }

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        (IWeightSource source, TensorInfo inner) = Require(tensor);
        source.Read(inner, firstElement, destination);
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        (IWeightSource source, TensorInfo inner) = Require(tensor);
        source.ReadPanel(inner, firstRow, firstColumn, columnCount, panel);
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
        (IWeightSource source, TensorInfo inner) = Require(tensor);
        return source.PackPanel(inner, firstRow, firstColumn, columnCount, format, scratch, panel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsFirst)
        {
            first.Dispose();
        }

        second.Dispose();
    }

    private (IWeightSource Source, TensorInfo Inner) Require(TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensors.TryGetValue(tensor.Name, out (IWeightSource Source, TensorInfo Inner, TensorInfo Outer) entry)
            ? (entry.Source, entry.Inner)
            : throw new InvalidInputException(Description, $"tensor \"{tensor.Name}\"", "not in either source");
    }
}
