using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Diagnosis;

/// <summary>A source in which layers have the weights of other layers; names keep their own.</summary>
internal sealed class RenamedSource : IWeightSource
{
    private readonly IWeightSource inner;
    private readonly Dictionary<string, (TensorInfo Outer, TensorInfo Inner)> tensors = [];

    /// <summary>Renames.</summary>
    /// <param name="inner">The source; not disposed with this one.</param>
    /// <param name="configuration">Says which tensors there are to be.</param>
    /// <param name="map">Given layer and the rest of the name; returns the layer whose weight is taken.</param>
    /// <exception cref="InvalidInputException">The other layer has no such weight.</exception>
    public RenamedSource(IWeightSource inner, ModelConfiguration configuration, Func<int, string, int> map)
    {
        this.inner = inner;
        foreach (TensorInfo tensor in TensorCatalog.For(configuration))
        {
            string[] words = tensor.Name.Split('.', 4);
            string name = tensor.Name;
            if (words is ["model", "layers", string number, string rest])
            {
                int layer = int.Parse(number, CultureInfo.InvariantCulture);
                int other = map(layer, rest);
                string wanted = FormattableString.Invariant($"model.layers.{other}.{rest}");
                name = inner.TryGetTensor(wanted, out TensorInfo? there) && there.ShapeText == tensor.ShapeText
                    ? wanted
                    : name;
            }

            if (inner.TryGetTensor(name, out TensorInfo? found))
            {
                tensors[tensor.Name] = (found with { Name = tensor.Name }, found);
            }
        }
    }

    /// <inheritdoc/>
    public string Description => inner.Description;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => [.. tensors.Values.Select(entry => entry.Outer)];

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        bool found = tensors.TryGetValue(name, out (TensorInfo Outer, TensorInfo Inner) entry);
        tensor = found ? entry.Outer : null;
        return found;
    }

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination) =>
        inner.Read(tensors[tensor.Name].Inner, firstElement, destination);

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
        inner.ReadPanel(tensors[tensor.Name].Inner, firstRow, firstColumn, columnCount, panel);

    /// <inheritdoc/>
    public void Dispose()
    {
        // The source belongs to whoever opened it.
    }
}
