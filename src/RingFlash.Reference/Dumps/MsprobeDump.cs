using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// One rank and step of Ascend's msprobe: <c>dump.json</c> describes every call, <c>dump_tensor_data/</c> holds a
/// <c>.pt</c> (PyTorch) or <c>.npy</c> (MindSpore) for each tensor when the task was <c>tensor</c>.
/// </summary>
/// <remarks>
/// A tensor is called as its file is, e.g. <c>Module.model.norm.RMSNorm.forward.0.output.0</c>. The description is
/// followed in its order; files that it does not name are read behind, for a run that was killed leaves some.
/// <c>stack.json</c> and <c>construct.json</c> hold no numbers. Source: Ascend/msprobe@acac0355
/// docs/en/user_guide/dump/pytorch_data_dump_instruct.md.
/// </remarks>
internal static class MsprobeDump
{
    /// <summary>The file that describes the calls.</summary>
    public const string DescriptionName = "dump.json";

    /// <summary>The folder of the tensors.</summary>
    public const string TensorFolder = "dump_tensor_data";

    private const string DataName = "data_name";

    /// <summary>Adds the tensors of one rank and step.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">The folder of <c>dump.json</c>.</param>
    /// <param name="tensorFiles">The files of the tensor folder, links out of the dump already refused.</param>
    /// <param name="attributes">What is known beside: rank and step from the folders' names.</param>
    public static void Add(
        OpenedDump dump, string path, List<string> tensorFiles, IReadOnlyDictionary<string, string> attributes)
    {
        dump.Read("msprobe");
        string description = Path.Combine(path, DescriptionName);
        using JsonDocument document = DumpJson.Read(description, dump.Files);
        if (!document.RootElement.TryGetProperty("data"u8, out JsonElement data)
            || data.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(description, "$.data", "an object of calls is missing: no msprobe dump");
        }

        List<(string File, JsonElement Tensor)> stated = [];
        Collect(data, description, stated);
        if (stated.Count == 0 && tensorFiles.Count == 0)
        {
            dump.Note($"{description}: statistics only; dump with \"task\": \"tensor\"");
        }

        HashSet<string> there = [.. tensorFiles], read = new(StringComparer.Ordinal);
        foreach ((string name, JsonElement tensor) in stated)
        {
            string file = Path.Combine(path, TensorFolder, name);
            if (!there.Contains(file))
            {
                dump.Note($"{description}: {Names.Shown(name)} is not in {TensorFolder}");
            }
            else if (read.Add(file))
            {
                int first = dump.Tensors.Count;
                DumpOpening.AddFile(dump, file, attributes);
                CheckShape(dump, first, tensor, file);
            }
        }

        foreach (string file in tensorFiles.Where(read.Add))
        {
            dump.Note($"{file}: {DescriptionName} does not name it; read all the same");
            DumpOpening.AddFile(dump, file, attributes);
        }
    }

    private static void Collect(JsonElement value, string path, List<(string File, JsonElement Tensor)> stated)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in value.EnumerateArray())
            {
                Collect(item, path, stated);
            }
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in value.EnumerateObject())
            {
                if (property.Value.ValueKind == JsonValueKind.String && property.NameEquals(DataName))
                {
                    stated.Add((PlainName(property.Value.GetString()!, path), value));
                }
                else
                {
                    Collect(property.Value, path, stated);
                }
            }
        }
    }

    private static string PlainName(string name, string path) =>
        Names.IsPlainFile(name)
            ? name
            : throw new InvalidInputException(
                path, DataName, $"\"{Names.Shown(name)}\" must be a plain file name; it would lead outside the folder");

    private static void CheckShape(OpenedDump dump, int first, JsonElement tensor, string file)
    {
        if (dump.Tensors.Count != first + 1
            || !tensor.TryGetProperty("shape"u8, out JsonElement shape) || shape.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        IReadOnlyList<long> actual = dump.Tensors[first].Shape;
        if (!shape.EnumerateArray().Select(axis => axis.ToString()).SequenceEqual(actual.Select(axis => $"{axis}")))
        {
            dump.Note(
                $"{file}: {DescriptionName} states the shape {Names.Shown(shape.ToString())}, "
                + $"the file has {TensorInfo.FormatShape(actual)}");
        }
    }
}
