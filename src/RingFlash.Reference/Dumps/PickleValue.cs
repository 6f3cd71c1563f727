using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Dumps;

// What a data-only pickle can hold beside null, bool, long, BigInteger, double, string and byte[].

/// <summary>A list or a set-like sequence.</summary>
internal sealed class PickleList
{
    /// <summary>The items.</summary>
    public List<object?> Items { get; } = [];
}

/// <summary>A tuple; <c>torch.Size</c> is one too.</summary>
/// <param name="Items">The items.</param>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A dictionary in the order of writing; a key may come twice, as in the file.</summary>
internal sealed class PickleDictionary
{
    /// <summary>The pairs.</summary>
    public List<KeyValuePair<object?, object?>> Items { get; } = [];

    /// <summary>The last value under a text key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value when found.</param>
    /// <returns>Whether the key is there.</returns>
    public bool TryGet(string key, out object? value)
    {
        int index = Items.FindLastIndex(pair => pair.Key is string text && text == key);
        value = index < 0 ? null : Items[index].Value;
        return index >= 0;
    }
}

/// <summary>A name of Python that is allowed: a function that rebuilds tensors, a storage type, a dtype.</summary>
/// <param name="Name">Module and name, with a dot between.</param>
internal sealed record PickleGlobal(string Name);

/// <summary>A reference to a storage, an entry of the archive.</summary>
/// <param name="Key">The entry's name within <c>data/</c>.</param>
/// <param name="ElementType">The type of its elements; null when it is untyped and counts bytes.</param>
/// <param name="Count">The number of elements.</param>
internal sealed record TorchStorage(string Key, ElementType? ElementType, long Count);

/// <summary>A tensor: a view of a storage.</summary>
/// <param name="Storage">The storage.</param>
/// <param name="ElementType">How an element is stored.</param>
/// <param name="Offset">The first element within the storage.</param>
/// <param name="Shape">The axes.</param>
/// <param name="Strides">Elements from one index to the next along each axis.</param>
internal sealed record TorchTensor(
    TorchStorage Storage, ElementType ElementType, long Offset, long[] Shape, long[] Strides);
