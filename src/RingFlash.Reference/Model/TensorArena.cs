using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// The memory of a model's forward passes, used again and again: from the second pass of a size on nothing is
/// allocated.
/// </summary>
/// <remarks>
/// The rule of ownership: a tensor that is taken outside of the layers (embeddings, rotary tables, logits) is valid
/// until the next pass begins; one that is taken in a layer until the layer after the next one begins, because the next
/// one still reads its output. Nobody gives anything back. Contents are undefined when a tensor is taken. A pass of
/// another size begins with nothing, so that no more is kept than one pass needs.
/// </remarks>
internal sealed class TensorArena
{
    private readonly Shelf outside = new(), even = new(), odd = new();
    private Shelf current;
    private (int Batch, int Tokens) size;

    /// <summary>Creates an empty arena.</summary>
    public TensorArena() => current = outside;

    /// <summary>Everything that was taken may be taken again.</summary>
    /// <param name="batch">Sequences of the pass.</param>
    /// <param name="tokens">Tokens of each.</param>
    public void BeginPass(int batch, int tokens)
    {
        bool isOtherSize = size != (batch, tokens);
        size = (batch, tokens);
        current = outside;
        foreach (Shelf shelf in (ReadOnlySpan<Shelf>)[outside, even, odd])
        {
            shelf.TakeBack(forget: isOtherSize);
        }
    }

    /// <summary>What was taken in the layer before the last one may be taken again.</summary>
    /// <param name="index">The layer.</param>
    public void BeginLayer(int index)
    {
        current = int.IsEvenInteger(index) ? even : odd;
        current.TakeBack(forget: false);
    }

    /// <summary>What is taken from here on belongs to no layer.</summary>
    public void EndLayer() => current = outside;

    /// <summary>A tensor with undefined contents.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="shape">The axes.</param>
    /// <returns>For the time that the rule of ownership says.</returns>
    public HostTensor<T> Take<T>(ReadOnlySpan<int> shape)
        where T : unmanaged => current.Take<T>(shape);

    private sealed class Shelf
    {
        private readonly List<IDeviceHeld> tensors = []; // of all element types
        private int taken; // so many of them, in front

        public void TakeBack(bool forget)
        {
            taken = 0;
            if (forget)
            {
                tensors.ForEach(tensor => tensor.FreeDevice()); // the garbage collector does not feel a card's memory
                tensors.Clear();
            }
        }

        public HostTensor<T> Take<T>(ReadOnlySpan<int> shape)
            where T : unmanaged
        {
            // Passes of a size take the same shapes in the same order, so the first one that is free mostly fits.
            int index = taken;
            while (index < tensors.Count
                && !(tensors[index] is HostTensor<T> candidate && candidate.Shape.SequenceEqual(shape)))
            {
                index++;
            }

            if (index == tensors.Count)
            {
                tensors.Add(new HostTensor<T>(shape));
            }

            HostTensor<T> tensor = (HostTensor<T>)tensors[index];
            tensors[index] = tensors[taken];
            tensors[taken++] = tensor;
            return tensor;
        }
    }
}
