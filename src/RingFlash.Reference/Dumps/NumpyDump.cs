using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>Arrays in NumPy's formats: <c>.npy</c> is one, <c>.npz</c> a zip archive of them.</summary>
internal static class NumpyDump
{
    private const string Extension = ".npy";

    /// <summary>Reads a header and adds the array.</summary>
    /// <param name="dump">Takes the array.</param>
    /// <param name="source">The whole file or entry.</param>
    /// <param name="name">The array's name: the format has none.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void Add(
        OpenedDump dump, ByteSource source, string name, IReadOnlyDictionary<string, string> attributes)
    {
        NumpyHeader header = NumpyHeader.Read(source);
        StridedLayout? layout = header.Strides() is long[] strides
            ? new StridedLayout(header.Shape, strides, dump.Extents)
            : null;
        if (layout is not null && source is InflatedSource && !layout.FitsInMemory(header.ElementType.ByteCount()))
        {
            // Its runs jump back and forth, and to go back in a compressed entry is to begin again.
            throw new InvalidInputException(
                source.Name,
                string.Empty,
                $"compressed and in Fortran order, above {StridedLayout.MaximumExtent} bytes; save it in C order");
        }

        TensorInfo tensor = new(name, header.ElementType, header.Shape);
        dump.Add(new StoredTensor(source, header.DataStart, tensor, attributes)
        {
            IsBigEndian = header.IsBigEndian,
            Layout = layout,
        });
    }

    /// <summary>Adds every array of an archive, under its entry's name without the extension.</summary>
    /// <param name="dump">Takes the arrays.</param>
    /// <param name="file">The archive.</param>
    /// <param name="zip">Its directory.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void AddArchive(
        OpenedDump dump, ByteSource file, ZipDirectory zip, IReadOnlyDictionary<string, string> attributes)
    {
        if (!zip.Entries.Any(IsArray))
        {
            throw new InvalidInputException(
                file.Name, string.Empty, "a zip archive of neither NumPy (NAME.npy) nor torch.save (NAME/data.pkl)");
        }

        foreach (ZipEntry entry in zip.Entries)
        {
            if (IsArray(entry))
            {
                Add(dump, zip.Open(entry), entry.Name[..^Extension.Length], attributes);
            }
            else
            {
                dump.Note($"{file.Name}: entry \"{Names.Shown(entry.Name)}\": not read, no .npy");
            }
        }
    }

    private static bool IsArray(ZipEntry entry) => entry.Name.EndsWith(Extension, StringComparison.Ordinal);
}
