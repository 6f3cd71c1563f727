using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A file of SGLang's dumper: its name is <c>key=value</c> pairs joined by <c>___</c>, its content
/// <c>{"value": …, "meta": {…}}</c>, or in older versions the bare tensor.
/// </summary>
/// <remarks>
/// Attributes are the pairs of the name, overridden by <c>meta</c>; nested keys are joined by dots, such as
/// <c>sglang_parallel_info.tp_rank</c>. The tensor's name is the key <c>name</c>. Source: sgl-project/sglang@00d35548
/// python/sglang/srt/debug_utils/dumper.py, <c>_dump_single</c> and <c>_format_tags</c>.
/// </remarks>
internal static class SglangFile
{
    private const string Separator = "___";
    private const int MaximumDepth = 8;
    private const int MaximumAttributeCount = 1000;

    /// <summary>The pairs of a file name.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The pairs; empty when the name has another form.</returns>
    public static Dictionary<string, string> Tags(string path)
    {
        Dictionary<string, string> tags = new(StringComparer.Ordinal);
        string name = Path.GetFileNameWithoutExtension(path);
        if (!name.Contains(Separator, StringComparison.Ordinal))
        {
            return tags;
        }

        string? key = null;
        foreach (string part in name.Split(Separator))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                key = part[..equals];
                tags[key] = part[(equals + 1)..];
            }
            else if (key is not null)
            {
                tags[key] += Separator + part; // the separator within a value
            }
        }

        return tags.ContainsKey("name") ? tags : [];
    }

    /// <summary>Adds what a file holds, if it is one of the dumper's.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="archive">The open file.</param>
    /// <param name="path">Its path.</param>
    /// <param name="attributes">What is known beside.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryAdd(
        OpenedDump dump, TorchArchive archive, string path, IReadOnlyDictionary<string, string> attributes)
    {
        Dictionary<string, string> all = Tags(path);
        object? value = archive.Value;
        if (value is PickleDictionary { Items.Count: 2 } pair
            && pair.TryGet("value", out object? inner) && pair.TryGet("meta", out object? meta)
            && meta is PickleDictionary described)
        {
            value = inner;
            Flatten(described, string.Empty, all, 0);
        }
        else if (all.Count == 0)
        {
            return false;
        }

        foreach ((string key, string text) in attributes)
        {
            all.TryAdd(key, text);
        }

        string name = all.GetValueOrDefault("name", Path.GetFileNameWithoutExtension(path));
        if (archive.Add(value, name, all) == 0)
        {
            dump.Note($"{Path.GetFileName(path)}: holds no tensor");
        }

        return true;
    }

    private static void Flatten(PickleDictionary meta, string prefix, Dictionary<string, string> target, int depth)
    {
        foreach ((object? key, object? value) in meta.Items)
        {
            if (target.Count >= MaximumAttributeCount || depth > MaximumDepth)
            {
                return;
            }

            string name = prefix + (TorchArchive.Text(key) ?? "?");
            if (value is PickleDictionary inner)
            {
                Flatten(inner, name + ".", target, depth + 1);
            }
            else if (value is PickleTuple { Items.Length: <= 64 } tuple)
            {
                target[name] = string.Join(", ", tuple.Items.Select(TorchArchive.Text));
            }
            else if (TorchArchive.Text(value) is string text)
            {
                target[name] = text;
            }
        }
    }
}
