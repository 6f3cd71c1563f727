using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Dumps;

/// <summary>One array in NumPy's <c>.npy</c> format.</summary>
internal static class NumpyDump
{
    /// <summary>Reads a header and adds the array.</summary>
    /// <param name="dump">Takes the array.</param>
    /// <param name="source">The whole file or entry.</param>
    /// <param name="name">The array's name: the format has none.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void Add(
        OpenedDump dump, ByteSource source, string name, IReadOnlyDictionary<string, string> attributes)
    {
        NumpyHeader header = NumpyHeader.Read(source);
        long[]? strides = header.Strides();
        TensorInfo tensor = new(name, header.ElementType, header.Shape);
        dump.Add(new StoredTensor(source, header.DataStart, tensor, attributes)
        {
            IsBigEndian = header.IsBigEndian,
            Layout = strides is null ? null : new StridedLayout(header.Shape, strides, dump.Extents),
        });
    }
}
