// Red here means that the page of the server's fields leaves out what is read, refused or ignored.
using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using RingFlash.Cli.Server;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class FieldPageTests
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "src", "RingFlash.Cli", "Server");

    private readonly string page = File.ReadAllText(Path.Combine(Folder, "README.md"));

    [Fact]
    public void RefusedAndIgnoredFieldsAreListedEachInItsPlace()
    {
        string without = Between("These change nothing here", "These are **refused");
        string refused = Between("These are **refused", "Fields that neither");
        Assert.Equal(Sorted(FieldRules.NamesWithoutEffect), Sorted(Words(without)));
        Assert.Equal(
            Sorted(FieldRules.UnsupportedNames), Sorted(Words(refused).Where(word => word != "echo")));
    }

    [Fact]
    public void FieldsThatAreReadAreListed()
    {
        string[] read = [.. Directory.GetFiles(Folder, "*.cs")
            .SelectMany(file => Regex.Matches(
                File.ReadAllText(file),
                @"[fF]ields\.(?:Flag|Text|Integer|Number|Items|Find)\(\s*""(\w+)""|ReadTop\(fields, ""(\w+)"""))
            .Select(match => match.Groups[1].Value + match.Groups[2].Value).Distinct()];
        Assert.InRange(read.Length, 35, 100);
        Assert.All(read, name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
    }

    private static string[] Sorted(System.Collections.Generic.IEnumerable<string> names) =>
        [.. names.Distinct().Order(StringComparer.Ordinal)];

    private static System.Collections.Generic.IEnumerable<string> Words(string text) =>
        Regex.Matches(text, "`([a-z_]+)`").Select(match => match.Groups[1].Value);

    private string Between(string begin, string end)
    {
        int from = page.IndexOf(begin, StringComparison.Ordinal), to = page.IndexOf(end, StringComparison.Ordinal);
        Assert.True(from >= 0 && to > from);
        return page[from..to];
    }
}
