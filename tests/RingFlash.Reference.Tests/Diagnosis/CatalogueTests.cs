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
    public static IEnumerable<string> PageLines =>
        MistakeCatalogue.All.Select(mistake => string.Join(
            " | ",
            $"| `{mistake.Id}`",
            Cell(mistake.Sentence),
            Cell(mistake.Wrong),
            Cell(mistake.Right),
            Cell(mistake.SeenIn),
            $"{Cell(string.Join("; ", mistake.Variants.Select(way => way.Value)))} |"));

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
        string[] expected = [.. PageLines];
        string[] actual = [.. page.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal))];
        Assert.Equal(expected, actual);
    }

    private static string Cell(string text) =>
        text.Length == 0 ? "–" : text.Replace("|", "\\|", StringComparison.Ordinal);
}
