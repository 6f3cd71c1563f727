// Red here means that the catalogue's page, ids or ways are not what the code makes.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Diagnosis;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

public sealed class CatalogueTests
{
    private const int Width = 118;

    public static IEnumerable<string> PageLines => MistakeCatalogue.All.SelectMany(mistake => new[]
    {
        Wrap($"* **`{mistake.Id}`**: {mistake.Sentence}."),
        Wrap($"  Computes {mistake.Wrong}; right is {mistake.Right}."),
        mistake.SeenIn.Length == 0 ? [] : Wrap($"  Seen: {mistake.SeenIn}."),
        mistake.Variants.Count == 1
            ? []
            : Wrap($"  Ways: {string.Join("; ", mistake.Variants.Select(way => Name(way.Value)))}."),
    }).SelectMany(lines => lines);

    [Fact]
    public void Ids_are_unique_and_name_a_theme()
    {
        string[] ids = [.. MistakeCatalogue.All.Select(mistake => mistake.Id)];
        Assert.True(ids.Length >= 40, $"{ids.Length} mistakes");
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[a-z]+[.][a-z0-9-]+$", id));
    }

    [Fact]
    public void Ways_of_a_mistake_have_different_names_and_are_found_by_them()
    {
        foreach (Mistake mistake in MistakeCatalogue.All)
        {
            Assert.Equal(mistake.Variants.Count, mistake.Variants.Select(way => way.Value).Distinct().Count());
            for (int index = 0; index < mistake.Variants.Count; index++)
            {
                string value = mistake.Variants[index].Value;
                Assert.Equal(value, MistakeCatalogue.Find($"{mistake.Id}:{index + 1}")!.Value);
                Assert.Equal(mistake, MistakeCatalogue.Find($"{mistake.Id}:{value}")!.Mistake);
            }

            Assert.NotEqual(ModelBlocks.None, mistake.Blocks);
            Assert.NotEmpty(mistake.Wrong);
            Assert.NotEmpty(mistake.Right);
        }

        Assert.Null(MistakeCatalogue.Find("norm.nothing"));
        Assert.Null(MistakeCatalogue.Find("norm.epsilon:0"));
    }

    /// <summary>The table is written by hand into the page; what it must be is in the message.</summary>
    [Fact]
    public void The_page_has_the_catalogue()
    {
        string page = File.ReadAllText(Path.Combine(
            RepositoryRoot.Path, "src", "RingFlash.Reference", "Diagnosis", "README.md"));
        string[] lines = [.. page.TrimEnd().Split('\n')];
        int start = Array.IndexOf(lines, "## The catalogue") + 2;
        Assert.Equal(PageLines, lines[start..]);
    }

    private static string Name(string way) => way.Length == 0 ? "as it says" : way;

    private static string[] Wrap(string text)
    {
        List<string> lines = [];
        string line = text[..(text.Length - text.TrimStart().Length)];
        bool isEmpty = true;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!isEmpty && line.Length + 1 + word.Length > Width)
            {
                lines.Add(line);
                (line, isEmpty) = ("  ", true);
            }

            line += (isEmpty ? string.Empty : " ") + word;
            isEmpty = false;
        }

        return [.. lines, line];
    }
}
