using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace RingFlash.Reference.Tokenization;

/// <summary>The table behind <see cref="CanonicalComposition"/>: <c>CanonicalCharacters.txt</c>.</summary>
internal sealed class CanonicalCharacters
{
    private readonly Dictionary<int, int> classes = [];
    private readonly Dictionary<int, int[]> decompositions = [];
    private readonly Dictionary<(int First, int Second), int> composites = [];
    private readonly HashSet<int> excluded = [];
    private readonly HashSet<int> seconds = [];

    private CanonicalCharacters()
    {
    }

    /// <summary>Reads the table that is part of this library.</summary>
    /// <returns>The table.</returns>
    public static CanonicalCharacters Load()
    {
        CanonicalCharacters table = new();
        using Stream stream =
            typeof(CanonicalCharacters).Assembly.GetManifestResourceStream("CanonicalCharacters.txt")!;
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is string line)
        {
            if (!line.StartsWith('#'))
            {
                table.Add(line.Split(';'));
            }
        }

        return table;
    }

    /// <summary>The canonical combining class; 0 for what is no mark.</summary>
    public int Class(int code) => classes.GetValueOrDefault(code);

    /// <summary>One step of the decomposition; null when there is none.</summary>
    public int[]? Decomposition(int code) => decompositions.GetValueOrDefault(code);

    /// <summary>Whether the code point decomposes and is never composed again.</summary>
    public bool IsExcluded(int code) => excluded.Contains(code);

    /// <summary>Whether some composition ends with the code point.</summary>
    public bool IsSecond(int code) => seconds.Contains(code);

    /// <summary>What two code points compose to; null when they do not.</summary>
    public int? Composite(int first, int second) =>
        composites.TryGetValue((first, second), out int composite) ? composite : null;

    private static int Hexadecimal(string text) =>
        int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private void Add(string[] fields)
    {
        int code = Hexadecimal(fields[0]);
        int combiningClass = int.Parse(fields[1], CultureInfo.InvariantCulture);
        if (combiningClass != 0)
        {
            classes.Add(code, combiningClass);
        }

        if (fields[2].Length == 0)
        {
            return;
        }

        int[] parts = [.. fields[2].Trim('(', ')').Split(' ').Select(Hexadecimal)];
        decompositions.Add(code, parts);
        if (fields[2].StartsWith('('))
        {
            excluded.Add(code);
        }
        else
        {
            composites.Add((parts[0], parts[1]), code);
            seconds.Add(parts[1]);
        }
    }
}
