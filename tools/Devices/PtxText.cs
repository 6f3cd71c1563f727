using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

namespace RingFlash.Devices;

/// <summary>The PTX of a kernel: what it counts, and as people read it.</summary>
/// <param name="text">The corrected text.</param>
internal sealed partial class PtxText(string text)
{
    /// <summary>The table's head.</summary>
    public static IReadOnlyList<string> Columns { get; } =
        ["b32", "f32", "b64", "pred", "ld16", "ld", "st", "mma", "ldm", "copy", "bar", "lines"];

    /// <summary>The text.</summary>
    public string Text => text;

    /// <summary>The numbers of the table.</summary>
    /// <returns>One per column.</returns>
    public IReadOnlyList<int> Counts()
    {
        int vectors = Count(@"\bld\.global\S*\.v4\.");
        return
        [
            Registers("b32") + Registers("s32") + Registers("u32"),
            Registers("f32"),
            Registers("b64") + Registers("s64") + Registers("u64"),
            Registers("pred"),
            vectors,
            Count(@"\bld\.global\b") - vectors,
            Count(@"\bst\.global\b"),
            Count(@"\bmma\.sync\b"),
            Count(@"\bldmatrix\.sync\b"),
            Count(@"\bcp\.async\.cg\b"),
            Count(@"\bbar\.sync\b"),
            Body().Count(line => line.EndsWith(';') && !line.StartsWith('.')),
        ];
    }

    /// <summary>The body without what every kernel has: the lines between the entry's braces.</summary>
    /// <returns>The lines, without blanks at their ends.</returns>
    public IEnumerable<string> Body() => text
        .Split('\n')
        .SkipWhile(line => !line.Contains(".entry", System.StringComparison.Ordinal))
        .Select(line => line.Trim().Replace('\t', ' '))
        .Where(line => line.Length > 0);

    /// <summary>The text with blanks for tabs and without empty lines.</summary>
    /// <returns>The text.</returns>
    public string Readable()
    {
        StringBuilder readable = new();
        foreach (string line in text.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0))
        {
            readable.Append(line.Replace("\t", "    ", System.StringComparison.Ordinal)).Append('\n');
        }

        return readable.ToString();
    }

    private int Count(string pattern) => Regex.Count(text, pattern);

    private int Registers(string type) => RegisterLine().Matches(text)
        .Where(match => match.Groups["type"].Value == type)
        .Sum(match => int.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\.reg\s+\.(?<type>\w+)\s+%\w+<(?<count>\d+)>")]
    private static partial Regex RegisterLine();
}
