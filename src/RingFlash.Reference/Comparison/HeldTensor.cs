using System;
using System.Collections.Generic;
using System.Threading;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Holds the values of a few views that were asked for last, so that what is read in small pieces is not fetched again
/// and again; memory is bounded by <c>MostElements</c> whatever the dump holds.
/// </summary>
internal sealed class HeldTensor
{
    private const long MostElements = 1 << 26;

    private readonly Lock gate = new();
    private readonly LinkedList<(TensorView View, Array Values)> held = [];
    private long elements;

    /// <summary>All values of a view.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="long"/>.</typeparam>
    /// <param name="view">The view.</param>
    /// <returns>The values; not to be written.</returns>
    public T[] Get<T>(TensorView view)
        where T : unmanaged
    {
        lock (gate)
        {
            for (LinkedListNode<(TensorView View, Array Values)>? node = held.First; node is not null; node = node.Next)
            {
                if (node.Value.View == view && node.Value.Values is T[] found)
                {
                    held.Remove(node);
                    held.AddFirst(node);
                    return found;
                }
            }
        }

        T[] values = new T[view.Length];
        view.Read(0, values);
        lock (gate)
        {
            held.AddFirst((view, values));
            elements += values.LongLength;
            while (elements > MostElements && held.Count > 1)
            {
                elements -= held.Last!.Value.Values.LongLength;
                held.RemoveLast();
            }
        }

        return values;
    }
}
