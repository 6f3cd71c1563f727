using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Numerics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A file that <c>torch.save</c> wrote in its zip form (PyTorch 1.6 and later): <c>NAME/data.pkl</c> describes tensors
/// as views of storages, <c>NAME/data/KEY</c> are the storages, stored without compression. Values are read from the
/// file by range.
/// </summary>
internal sealed class TorchArchive
{
    private const string PickleName = "/data.pkl";
    private const int MaximumDepth = 64;
    private const int MaximumValueCount = 100_000; // a list that holds a list many times is written in a few bytes
    private const int MaximumNameLength = 512;

    private readonly OpenedDump dump;
    private readonly ByteSource file;
    private readonly ZipDirectory zip;
    private readonly string folder;
    private readonly bool isBigEndian;
    private readonly Dictionary<string, ByteSource> storages = new(StringComparer.Ordinal);
    private int valueCount;

    private TorchArchive(OpenedDump dump, ByteSource file, ZipDirectory zip, ZipEntry pickle)
    {
        this.dump = dump;
        this.file = file;
        this.zip = zip;
        folder = pickle.Name[..^PickleName.Length];
        if (zip.Find(folder + "/constants.pkl") is not null)
        {
            throw new InvalidInputException(file.Name, string.Empty, "a TorchScript program, which is code; refused");
        }

        if (zip.Find(folder + "/byteorder") is ZipEntry { Length: 3 })
        {
            isBigEndian = true; // "big"; files of PyTorch before 2.1 have no such entry and are little-endian
        }

        if (pickle.IsDeflated || pickle.Length > PickleReader.MaximumLength)
        {
            throw new InvalidInputException(
                file.Name,
                $"entry \"{Names.Shown(pickle.Name)}\"",
                $"must be stored without compression and have at most {PickleReader.MaximumLength} bytes");
        }

        byte[] bytes = new byte[pickle.Length];
        ByteSource source = zip.Open(pickle);
        source.ReadExactly(0, bytes);
        Value = PickleReader.Read(source.Name, bytes);
    }

    /// <summary>What was saved.</summary>
    public object? Value { get; }

    /// <summary>Finds the entry that tells a file of <c>torch.save</c> from any other zip archive.</summary>
    /// <param name="zip">The archive.</param>
    /// <returns>The entry, or null.</returns>
    public static ZipEntry? FindPickle(ZipDirectory zip) =>
        zip.Entries.FirstOrDefault(entry => entry.Name.EndsWith(PickleName, StringComparison.Ordinal)
            && entry.Name.IndexOf('/', StringComparison.Ordinal) == entry.Name.Length - PickleName.Length);

    /// <summary>Opens an archive and reads its pickle.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="file">The file.</param>
    /// <param name="zip">Its directory.</param>
    /// <param name="pickle">The entry that <see cref="FindPickle"/> found.</param>
    /// <returns>The archive.</returns>
    public static TorchArchive Open(OpenedDump dump, ByteSource file, ZipDirectory zip, ZipEntry pickle) =>
        new(dump, file, zip, pickle);

    /// <summary>Adds every tensor within a value; keys and indices are joined to the name by dots.</summary>
    /// <param name="value">The value, or a part of it.</param>
    /// <param name="name">The name of the whole.</param>
    /// <param name="attributes">What is known beside.</param>
    /// <returns>How many tensors were added.</returns>
    public int Add(object? value, string name, IReadOnlyDictionary<string, string> attributes) =>
        Add(value, name, attributes, 0);

    private int Add(object? value, string name, IReadOnlyDictionary<string, string> attributes, int depth)
    {
        if (depth > MaximumDepth || ++valueCount > MaximumValueCount || name.Length > MaximumNameLength)
        {
            throw new InvalidInputException(
                file.Name,
                $"value \"{Names.Shown(name)}\"",
                $"nested deeper than {MaximumDepth}, more than {MaximumValueCount} values, or a name above "
                + $"{MaximumNameLength} characters");
        }

        switch (value)
        {
            case TorchTensor tensor:
                dump.Add(Tensor(tensor, name, attributes));
                return 1;
            case PickleDictionary dictionary:
                return dictionary.Items.Sum(
                    pair => Add(pair.Value, Join(name, Text(pair.Key)), attributes, depth + 1));
            case PickleList list:
                return AddItems(list.Items, name, attributes, depth);
            case PickleTuple tuple:
                return AddItems(tuple.Items, name, attributes, depth);
            default:
                return 0;
        }
    }

    private int AddItems(
        IReadOnlyList<object?> items, string name, IReadOnlyDictionary<string, string> attributes, int depth) =>
        items.Select((item, index) => Add(item, Join(name, Text((long)index)), attributes, depth + 1)).Sum();

    /// <summary>A plain value as text; null for tensors, lists and the like.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The text.</returns>
    public static string? Text(object? value) => value switch
    {
        string text => text,
        bool truth => truth ? "true" : "false",
        long integer => integer.ToString(CultureInfo.InvariantCulture),
        BigInteger integer => integer.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        PickleGlobal global => global.Name,
        _ => null,
    };

    private static string Join(string name, string? part) => name.Length == 0 ? part ?? "?" : $"{name}.{part ?? "?"}";

    private StoredTensor Tensor(TorchTensor tensor, string name, IReadOnlyDictionary<string, string> attributes)
    {
        int size = tensor.ElementType.ByteCount();
        ByteSource storage = Storage(tensor.Storage);
        TensorInfo info = new(name, tensor.ElementType, tensor.Shape);
        bool contiguous = StridedLayout.IsContiguous(tensor.Shape, tensor.Strides);
        return new StoredTensor(storage, tensor.Offset * size, info, attributes)
        {
            IsBigEndian = isBigEndian,
            Layout = contiguous ? null : new StridedLayout(tensor.Shape, tensor.Strides, dump.Extents),
        };
    }

    private ByteSource Storage(TorchStorage storage)
    {
        if (!storages.TryGetValue(storage.Key, out ByteSource? source))
        {
            string name = $"{folder}/data/{storage.Key}";
            ZipEntry entry = zip.Find(name)
                ?? throw new InvalidInputException(
                    file.Name, $"entry \"{Names.Shown(name)}\"", "a tensor refers to it, and it is not there");
            if (entry.IsDeflated)
            {
                throw new InvalidInputException(
                    file.Name, $"entry \"{Names.Shown(name)}\"", "a storage must be stored without compression");
            }

            source = zip.Open(entry);
            storages.Add(storage.Key, source);
        }

        // The views were checked against the count that the pickle states; here the count meets the bytes.
        Int128 needed = (Int128)storage.Count * (storage.ElementType?.ByteCount() ?? 1);
        return needed == source.Length
            ? source
            : throw new InvalidInputException(
                source.Name, string.Empty, $"{needed} bytes are stated for this storage, it has {source.Length}");
    }
}
