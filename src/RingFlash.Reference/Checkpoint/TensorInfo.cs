using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Name, element type and shape of one stored tensor; row-major, the last axis is contiguous.</summary>
/// <param name="Name">The checkpoint name, e.g. <c>model.layers.0.attention.dense.weight</c>.</param>
/// <param name="ElementType">How an element is stored.</param>
/// <param name="Shape">The axes; empty for a scalar.</param>
public sealed record TensorInfo(string Name, ElementType ElementType, IReadOnlyList<long> Shape)
{
    /// <summary>The number of elements: the product of <see cref="Shape"/>, 1 for a scalar.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, axis) => checked(product * axis));

    /// <summary>The shape as text, e.g. <c>[4096, 1024]</c>.</summary>
    public string ShapeText => FormatShape(Shape);

    /// <summary>Formats axes as <c>[a, b]</c>.</summary>
    /// <param name="shape">The axes.</param>
    /// <returns>The text.</returns>
    public static string FormatShape(IEnumerable<long> shape) =>
        "[" + string.Join(", ", shape.Select(axis => axis.ToString(CultureInfo.InvariantCulture))) + "]";
}
