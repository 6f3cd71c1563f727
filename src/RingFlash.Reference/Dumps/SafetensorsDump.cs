using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// Safetensors files. Headers are checked by <see cref="SafetensorsFile"/>; the files' own <c>__metadata__</c> become
/// attributes of each tensor.
/// </summary>
internal static class SafetensorsDump
{
    /// <summary>Reads a header and adds every tensor in the order of the data.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">The file.</param>
    /// <param name="attributes">What is known beside; the file's own metadata do not replace it.</param>
    public static void Add(OpenedDump dump, string path, IReadOnlyDictionary<string, string> attributes)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        AddTensors(dump, file, file.Tensors, attributes);
    }

    /// <summary>Adds the tensors of a folder whose index says which shard holds which.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">A folder with <c>model.safetensors.index.json</c>.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void AddIndexed(OpenedDump dump, string path, IReadOnlyDictionary<string, string> attributes)
    {
        using CheckpointFolder folder = CheckpointFolder.Open(path);
        foreach (IGrouping<SafetensorsFile, TensorInfo> shard in folder.Tensors.GroupBy(folder.ShardOf))
        {
            AddTensors(dump, shard.Key, shard, attributes);
        }

        foreach (string warning in folder.Warnings)
        {
            dump.Note(warning);
        }
    }

    private static void AddTensors(
        OpenedDump dump,
        SafetensorsFile file,
        IEnumerable<TensorInfo> tensors,
        IReadOnlyDictionary<string, string> attributes)
    {
        // Opened a second time as one of many: a dump may have more files than a process may hold open.
        DumpFile source = new(file.Description, dump.Files);
        Dictionary<string, string> all = new(file.Metadata);
        foreach ((string key, string value) in attributes)
        {
            all[key] = value;
        }

        foreach (TensorInfo tensor in tensors)
        {
            dump.Add(new StoredTensor(source, file.ByteRange(tensor).Begin, tensor, all));
        }
    }
}
