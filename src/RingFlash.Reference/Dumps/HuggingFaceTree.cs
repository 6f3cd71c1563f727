using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// What Hugging Face's <c>model_addition_debugger_context</c> writes: <c>CLASS_debug_tree_FULL_TENSORS.json</c>, a tree
/// of modules with their inputs and, for leaf modules, outputs. A tensor is spelled out as text, or lies in a file of
/// its own that the tree names (<c>use_repr=False</c>).
/// </summary>
/// <remarks>
/// <para>A tensor is called by the path of its module and its place there, as the debugger spells them:
/// <c>CLASS.model.layers.0.mlp.inputs.args.0</c>, <c>….inputs.kwargs.hidden_states</c>, <c>….outputs</c>,
/// <c>….outputs.1</c>. A module that is called again gives its names again; the attribute <c>call</c> counts.</para>
/// <para>The debugger gives every call of a module the same file, so that only the last call's values are left: earlier
/// calls are noted and not read. The outputs of the whole model are in a file although its tree drops them; they are
/// found by the file's name.</para>
/// <para>Source: huggingface/transformers@079c5888 src/transformers/model_debugging_utils.py.</para>
/// </remarks>
internal sealed class HuggingFaceTree
{
    /// <summary>The end of the name of the file with the values.</summary>
    public const string FullSuffix = "_debug_tree_FULL_TENSORS.json";

    /// <summary>The end of the name of the file without them.</summary>
    public const string SummarySuffix = "_debug_tree_SUMMARY.json";

    private const string TensorKey = "data";

    private readonly OpenedDump dump;
    private readonly string folder;
    private readonly string path;
    private readonly IReadOnlyDictionary<string, string> attributes;
    private readonly List<Found> found = [];
    private readonly Dictionary<string, int> calls = new(StringComparer.Ordinal);

    private HuggingFaceTree(OpenedDump dump, string folder, string path, IReadOnlyDictionary<string, string> attributes)
    {
        (this.dump, this.folder, this.path, this.attributes) = (dump, folder, path, attributes);
    }

    /// <summary>Adds the tensors of a tree.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="files">Its files, links out of the folder already refused.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void Add(
        OpenedDump dump, string folder, List<string> files, IReadOnlyDictionary<string, string> attributes)
    {
        dump.Read("Hugging Face model debugger");
        HashSet<string> read = new(StringComparer.Ordinal);
        foreach (string file in files.Where(file => file.EndsWith(FullSuffix, StringComparison.Ordinal)))
        {
            HuggingFaceTree tree = new(dump, folder, file, attributes);
            using JsonDocument document = DumpJson.Read(file, dump.Files);
            tree.Visit(document.RootElement);
            tree.AddFound(files, read);
        }

        foreach (string file in files.Where(file => Path.GetExtension(file) == ".safetensors" && read.Add(file)))
        {
            AddFile(dump, file, NameOfFile(Path.GetFileNameWithoutExtension(file)), attributes);
        }

        foreach (string file in files.Where(file => !read.Contains(file) && !IsTree(file)))
        {
            dump.Note($"{file}: not read, no part of the debugger's output");
        }
    }

    /// <summary>Whether a file is one of the debugger's trees.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Whether its name says so.</returns>
    public static bool IsTree(string file) =>
        file.EndsWith(FullSuffix, StringComparison.Ordinal) || file.EndsWith(SummarySuffix, StringComparison.Ordinal);

    private void Visit(JsonElement node)
    {
        string module = node.ValueKind == JsonValueKind.Object
                && node.TryGetProperty("module_path"u8, out JsonElement at)
                && at.ValueKind == JsonValueKind.String
            ? at.GetString()!
            : throw Broken("a node of the tree has no module_path");
        calls[module] = calls.GetValueOrDefault(module) + 1;
        foreach (string side in (string[])["inputs", "outputs"])
        {
            if (node.TryGetProperty(side, out JsonElement values))
            {
                Collect(values, module, $"{module}.{side}");
            }
        }

        if (node.TryGetProperty("children"u8, out JsonElement children) && children.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement child in children.EnumerateArray())
            {
                Visit(child);
            }
        }
    }

    private void Collect(JsonElement values, string module, string name)
    {
        if (name.Length > SafetensorsHeader.MaximumNameLength)
        {
            throw Broken($"\"{Names.Shown(name)}\": a name above {SafetensorsHeader.MaximumNameLength} characters");
        }

        if (values.ValueKind == JsonValueKind.Array)
        {
            int index = 0;
            foreach (JsonElement item in values.EnumerateArray())
            {
                Collect(item, module, string.Create(CultureInfo.InvariantCulture, $"{name}.{index++}"));
            }
        }
        else if (values.ValueKind == JsonValueKind.Object && IsTensor(values))
        {
            found.Add(Describe(values, module, name));
        }
        else if (values.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in values.EnumerateObject())
            {
                Collect(property.Value, module, $"{name}.{property.Name}");
            }
        }
    }

    private static bool IsTensor(JsonElement values) =>
        values.TryGetProperty("shape"u8, out JsonElement shape) && shape.ValueKind == JsonValueKind.String
        && values.TryGetProperty("dtype"u8, out JsonElement type) && type.ValueKind == JsonValueKind.String;

    private Found Describe(JsonElement tensor, string module, string name)
    {
        string shape = tensor.GetProperty("shape"u8).GetString()!;
        string type = tensor.GetProperty("dtype"u8).GetString()!;
        string? file = null, printed = null;
        if (tensor.TryGetProperty("value"u8, out JsonElement value))
        {
            file = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            printed = value.ValueKind == JsonValueKind.Array
                ? string.Join('\n', value.EnumerateArray().Select(line => line.ToString()))
                : null;
        }

        return new Found(name, calls[module], shape, type, file, printed);
    }

    private void AddFound(List<string> files, HashSet<string> read)
    {
        HashSet<string> there = [.. files];
        Dictionary<string, Found> last = new(StringComparer.Ordinal);
        foreach (Found tensor in found.Where(tensor => tensor.File is not null))
        {
            last[tensor.File!] = tensor;
        }

        foreach (Found tensor in found)
        {
            Dictionary<string, string> all = new(attributes)
            {
                ["call"] = tensor.Call.ToString(CultureInfo.InvariantCulture),
            };
            if (tensor.Printed is not null)
            {
                AddPrinted(tensor, all);
            }
            else if (tensor.File is null)
            {
                dump.Note($"{path}: {Names.Shown(tensor.Name)}: has no value");
            }
            else if (last[tensor.File] != tensor)
            {
                dump.Note($"{path}: {Names.Shown(tensor.Name)}: call {tensor.Call} was overwritten by a later one");
            }
            else
            {
                string file = Path.Combine(folder, PlainName(tensor.File));
                if (there.Contains(file))
                {
                    read.Add(file);
                    AddFile(dump, file, tensor.Name, all);
                }
                else
                {
                    dump.Note($"{path}: {Names.Shown(tensor.Name)}: {Path.GetFileName(file)} is not there");
                }
            }
        }
    }

    private void AddPrinted(Found tensor, Dictionary<string, string> all)
    {
        long[]? shape = ParseShape(tensor.Shape);
        if (shape is null || TorchGlobals.DataType(tensor.Type) is not ElementType type)
        {
            string what = Names.Shown($"{tensor.Shape} of {tensor.Type}");
            dump.Note($"{path}: {Names.Shown(tensor.Name)}: {what} is not read");
            return;
        }

        TensorInfo info = new(tensor.Name, type, shape);
        if (PrintedTensor.TryParse(tensor.Printed!, type, info.ElementCount, out byte[] bytes) is string problem)
        {
            dump.Note($"{path}: {Names.Shown(tensor.Name)}: not read, {problem}");
            return;
        }

        all["printed"] = "5 significant digits";
        MemorySource source = new($"{path}: {Names.Shown(tensor.Name)}", bytes);
        dump.Add(new StoredTensor(source, 0, info, all));
    }

    // torch.Size([1, 2]); at most 63 bits in all, so that the product is safe.
    private static long[]? ParseShape(string text)
    {
        const string Start = "torch.Size([", End = "])";
        if (!text.StartsWith(Start, StringComparison.Ordinal) || !text.EndsWith(End, StringComparison.Ordinal))
        {
            return null;
        }

        string[] words = text[Start.Length..^End.Length].Split(
            ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        long[] shape = new long[words.Length];
        long product = 1;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            if (!long.TryParse(words[axis], NumberStyles.None, CultureInfo.InvariantCulture, out shape[axis])
                || shape[axis] > int.MaxValue
                || (product *= shape[axis]) > int.MaxValue)
            {
                return null;
            }
        }

        return shape;
    }

    private string PlainName(string file)
    {
        string name = file.StartsWith("./", StringComparison.Ordinal) ? file[2..] : file;
        return Names.IsPlainFile(name)
            ? name
            : throw Broken($"value \"{Names.Shown(file)}\" must name a file of this folder; it would lead outside");
    }

    private static void AddFile(
        OpenedDump dump, string file, string name, IReadOnlyDictionary<string, string> attributes)
    {
        using SafetensorsFile content = SafetensorsFile.Open(file);
        DumpFile source = new(file, dump.Files);
        foreach (TensorInfo tensor in content.Tensors)
        {
            string own = tensor.Name == TensorKey ? name : $"{name}.{tensor.Name}";
            TensorInfo named = tensor with { Name = own };
            dump.Add(new StoredTensor(source, content.ByteRange(tensor).Begin, named, attributes));
        }
    }

    // CLASS.model.norm_outputs_0 is CLASS.model.norm.outputs.0; a keyword may have underscores of its own.
    private static string NameOfFile(string stem)
    {
        foreach (string name in (string[])[".inputs.args.", ".inputs.kwargs.", ".outputs"])
        {
            string written = name.Replace('.', '_');
            int at = stem.IndexOf(written, StringComparison.Ordinal);
            if (at > 0)
            {
                string rest = stem[(at + written.Length)..];
                return stem[..at] + name + (rest.StartsWith('_') ? $".{rest[1..]}" : rest);
            }
        }

        return stem;
    }

    private InvalidInputException Broken(string rule) => new(path, string.Empty, rule);

    private sealed record Found(string Name, int Call, string Shape, string Type, string? File, string? Printed);
}
