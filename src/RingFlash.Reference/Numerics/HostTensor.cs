using System;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Numerics;

/// <summary>A dense row-major tensor in managed memory; what one operator hands to the next.</summary>
/// <typeparam name="T">float for the engines, double for the float64 oracle.</typeparam>
public sealed class HostTensor<T>
    where T : unmanaged
{
    private readonly int[] shape;
    private HostTensor<T>? reshaped;

    /// <summary>Creates a zero-filled tensor.</summary>
    /// <param name="shape">The axes, each at least 0.</param>
    public HostTensor(params ReadOnlySpan<int> shape)
    {
        this.shape = shape.ToArray();
        int count = 1;
        foreach (int axis in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(axis, nameof(shape));
            count = checked(count * axis);
        }

        Values = new T[count];
    }

    private HostTensor(T[] values, int[] shape)
    {
        this.shape = shape;
        Values = values;
    }

    /// <summary>The elements, row-major.</summary>
    public T[] Values { get; }

    /// <summary>The axes.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The length of the last axis: the width of a row.</summary>
    public int Width => shape[^1];

    /// <summary>The number of rows: all axes but the last, multiplied.</summary>
    public int Rows => Width == 0 ? 0 : Values.Length / Width;

    /// <summary>The elements as a span.</summary>
    public Span<T> Span => Values;

    /// <summary>One row.</summary>
    /// <param name="row">0 … Rows − 1.</param>
    /// <returns>[Width].</returns>
    public Span<T> Row(int row) => Values.AsSpan(row * Width, Width);

    /// <summary>The same elements (not a copy) with other axes; what was asked for last is kept.</summary>
    /// <param name="newShape">The axes; as many elements.</param>
    /// <returns>The tensor.</returns>
    public HostTensor<T> Reshape(ReadOnlySpan<int> newShape)
    {
        if (reshaped is not null && reshaped.Shape.SequenceEqual(newShape))
        {
            return reshaped;
        }

        int count = 1;
        foreach (int axis in newShape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(axis, nameof(newShape));
            count = checked(count * axis);
        }

        return count == Values.Length
            ? reshaped = new HostTensor<T>(Values, newShape.ToArray())
            : throw new ArgumentException($"{this} has {Values.Length} elements; {count} asked for", nameof(newShape));
    }

    /// <inheritdoc/>
    public override string ToString() =>
        "[" + string.Join(", ", shape.Select(axis => axis.ToString(CultureInfo.InvariantCulture))) + "]";
}
