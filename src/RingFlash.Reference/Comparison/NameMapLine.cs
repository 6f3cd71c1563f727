using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Reads one line of a name map: an entry per text that its words stand for.</summary>
internal static class NameMapLine
{
    private const int MostTexts = 1024;

    private static readonly (string Word, AxisName Axis)[] AxisWords =
    [
        ("b", AxisName.Batch), ("t", AxisName.Tokens), ("n", AxisName.Rows), ("heads", AxisName.Heads),
        ("n*heads", AxisName.RowsAndHeads), ("width", AxisName.Width), ("1", AxisName.One),
    ];

    private static readonly (string Word, MapTarget Target)[] TargetWords =
    [
        ("tap", MapTarget.Tap), ("input", MapTarget.Input), ("weight", MapTarget.Weight),
        ("nothing", MapTarget.Nothing),
    ];

    private static readonly string[] PieceWords = ["query", "key", "value", "gate", "up"];

    /// <summary>Reads a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="words">The map's words.</param>
    /// <param name="file">What to call its file in messages.</param>
    /// <param name="index">Which line it is.</param>
    /// <returns>The entries.</returns>
    public static IEnumerable<NameMapEntry> Read(
        JsonSection line, Dictionary<string, string[]> words, string file, int index)
    {
        string place = PlaceOf(index);
        string name = line.OptionalText("name") ?? throw line.Refuse("name", "required: the tensor's name");
        (string key, MapTarget target) = TargetWords.FirstOrDefault(word => line.Has(word.Word));
        if (key is null || TargetWords.Count(word => line.Has(word.Word)) != 1)
        {
            throw line.Refuse("name", "a line says one of \"tap\", \"input\", \"weight\" and \"nothing\"");
        }

        NameMapEntry entry = new()
        {
            Line = index,
            Name = NamePattern.Parse("-", file, place),
            Target = target,
            TargetName = line.OptionalText(key)!,
            Call = line.OptionalInteger("call", 1, 1000) ?? 1,
            LayerAttribute = line.OptionalText("layer"),
            Axes = ReadAxes(line),
            Tokens = (TokenChoice)Choice(line, "tokens", "all", "last", "all or last"),
            Piece = (FusedPiece)Choice(line, "piece", ["whole", .. PieceWords]),
            Take = (FusedPiece)Choice(line, "take", ["whole", .. PieceWords]),
            IsGrouped = Choice(line, "heads", "stacked", "grouped") == 1,
            IsDenseRouting = Choice(line, "experts", "chosen", "dense") == 1,
            IsUnscaled = line.OptionalChoice("times", string.Empty, "routed_scaling_factor") is not null,
            IsTransposed = line.Boolean("transposed", absent: false),
            Parts = (RankParts)Choice(
                line, "parts", "copies", "split", "tokens", "sum", "inputs", "experts"),
            RankAttribute = line.OptionalText("rank") ?? "tp_rank",
            IsSpare = line.Boolean("spare", absent: false),
            Source = line.OptionalText("source") ?? string.Empty,
        };
        string? plus = line.OptionalText("plus");
        NameMapReader.RefuseUnknown(line);
        foreach ((string full, string fullTarget, string? fullPlus) in Expand(
            (name, entry.TargetName, plus), words, line))
        {
            NameMapEntry complete = entry with
            {
                Name = NamePattern.Parse(full, file, $"{place}.name"),
                TargetName = fullTarget,
                Plus = fullPlus is null ? null : NamePattern.Parse(fullPlus, file, $"{place}.plus"),
            };
            CheckPlaceholders(complete, line, key);
            yield return complete;
        }
    }

    /// <summary>Where a line stands, for messages.</summary>
    /// <param name="index">Which line it is.</param>
    /// <returns>Its JSON path.</returns>
    public static string PlaceOf(int index) => FormattableString.Invariant($"$.tensors[{index}]");

    // Every choice of texts for the words of the name; a word has the same text wherever it stands in the line.
    private static List<(string Name, string Target, string? Plus)> Expand(
        (string Name, string Target, string? Plus) text, Dictionary<string, string[]> words, JsonSection line)
    {
        List<(string Name, string Target, string? Plus)> texts = [text];
        foreach ((string word, string[] choices) in words)
        {
            string placeholder = $"{{{word}}}";
            if (!text.Name.Contains(placeholder, StringComparison.Ordinal))
            {
                continue;
            }

            if ((long)texts.Count * choices.Length > MostTexts)
            {
                throw line.Refuse("name", $"its words stand for more than {MostTexts} texts");
            }

            texts = [.. texts.SelectMany(_ => choices, (before, choice) => (
                before.Name.Replace(placeholder, choice, StringComparison.Ordinal),
                before.Target.Replace(placeholder, choice, StringComparison.Ordinal),
                before.Plus?.Replace(placeholder, choice, StringComparison.Ordinal)))];
        }

        return texts;
    }

    private static void CheckPlaceholders(NameMapEntry entry, JsonSection line, string key)
    {
        if (entry.Target == MapTarget.Nothing)
        {
            return;
        }

        // The rank says which part it is; the tap has none.
        IEnumerable<string> known = [.. entry.Name.Numbers, .. entry.LayerAttribute is null ? [] : new[] { "layer" }];
        string rest = NameMap.Fill(entry.TargetName, [.. known], [.. known.Select(_ => 1)]);
        if (entry.IsStack)
        {
            rest = rest.Replace("{expert}", string.Empty, StringComparison.Ordinal);
        }

        if (rest.IndexOfAny(['{', '}']) >= 0)
        {
            throw line.Refuse(key, "holds a placeholder that the name has not");
        }

        foreach (string number in known.Where(number => number != "rank"))
        {
            if (!entry.TargetName.Contains($"{{{number}}}", StringComparison.Ordinal)
                && !entry.TargetName.Contains($"{{{number}-1}}", StringComparison.Ordinal))
            {
                throw line.Refuse(key, $"must hold {{{number}}}, or tensors of all {number}s would be one");
            }
        }

        if (entry.Plus is NamePattern plus && plus.Numbers.Except(entry.Name.Numbers).Any())
        {
            throw line.Refuse("plus", "holds a placeholder that the name has not");
        }
    }

    private static int Choice(JsonSection line, string key, params string[] choices) =>
        Math.Max(0, Array.IndexOf(choices, line.OptionalChoice(key, string.Empty, choices)));

    private static List<AxisName[]> ReadAxes(JsonSection line)
    {
        List<AxisName[]> forms = [];
        switch (line.Find("axes"))
        {
            case null:
                return forms;
            case { ValueKind: JsonValueKind.String } one:
                forms.Add(Form(one.GetString()!, line));
                break;
            case { ValueKind: JsonValueKind.Array } list
                when list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String):
                forms.AddRange(list.EnumerateArray().Select(item => Form(item.GetString()!, line)));
                break;
            default:
                throw line.Refuse("axes", $"must be a text or a list of texts; found {line.Found("axes")}");
        }

        if (forms.Count == 0 || forms.Select(form => form.Length).Distinct().Count() != forms.Count)
        {
            throw line.Refuse("axes", "needs one form or several of different rank: the rank tells which it is");
        }

        return forms;
    }

    private static AxisName[] Form(string text, JsonSection line)
    {
        List<AxisName> axes = [];
        foreach (string word in text.Split(','))
        {
            int index = Array.FindIndex(AxisWords, known => known.Word == word);
            if (index < 0)
            {
                string known = string.Join(", ", AxisWords.Select(axis => axis.Word));
                throw line.Refuse("axes", $"are of {known}, with commas between; found \"{text}\"");
            }

            axes.Add(AxisWords[index].Axis);
        }

        bool repeats = axes.Where(axis => axis != AxisName.One).GroupBy(axis => axis).Any(group => group.Count() > 1);
        int rowForms = (axes.Contains(AxisName.Rows) ? 1 : 0) + (axes.Contains(AxisName.RowsAndHeads) ? 1 : 0)
            + (axes.Contains(AxisName.Tokens) ? 1 : 0);
        bool strayBatch = axes.Contains(AxisName.Batch) && !axes.Contains(AxisName.Tokens);
        bool strayHeads = axes.Contains(AxisName.Heads)
            && (axes.Contains(AxisName.RowsAndHeads) || !axes.Contains(AxisName.Width));
        return repeats || rowForms != 1 || strayBatch || strayHeads
            ? throw line.Refuse(
                "axes",
                "hold the tokens once (n, n*heads, t, or b and t), heads only beside width, and nothing twice; found "
                + $"\"{text}\"")
            : [.. axes];
    }
}
