using System;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Numerics;

/// <summary>A dense row-major tensor as the host sees it; what one operator hands to the next.</summary>
/// <typeparam name="T">float for the engines, double for the float64 oracle.</typeparam>
public sealed class HostTensor<T> : IDeviceHeld
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

        Storage = new TensorStorage<T>(count);
    }

    private HostTensor(TensorStorage<T> storage, int[] shape)
    {
        this.shape = shape;
        Storage = storage;
    }

    /// <summary>The elements, row-major; fetched, if a device holds them.</summary>
    public T[] Values => Storage.OnHost();

    /// <summary>The number of elements, which asks nobody for them.</summary>
    public int Count => Storage.Count;

    /// <summary>The axes.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The length of the last axis: the width of a row.</summary>
    public int Width => shape[^1];

    /// <summary>The number of rows: all axes but the last, multiplied.</summary>
    public int Rows => Width == 0 ? 0 : Count / Width;

    /// <summary>Where the elements are; tensors that only differ by their axes share it.</summary>
    internal TensorStorage<T> Storage { get; }

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

        return count == Count
            ? reshaped = new HostTensor<T>(Storage, newShape.ToArray())
            : throw new ArgumentException($"{this} has {Count} elements; {count} asked for", nameof(newShape));
    }

    /// <inheritdoc/>
    void IDeviceHeld.FreeDevice() => Storage.FreeDevice();

    /// <inheritdoc/>
    public override string ToString() =>
        "[" + string.Join(", ", shape.Select(axis => axis.ToString(CultureInfo.InvariantCulture))) + "]";
}
