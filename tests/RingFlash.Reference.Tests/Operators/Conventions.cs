// Red here: a reader no longer finds every operator told the same way, or the layers of the library point backwards.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class Conventions
{
    private const int LongestLine = 120;

    private static readonly string Source = Path.Combine(RepositoryRoot.Path, "src");

    private static readonly string OperatorFolder = Path.Combine(Source, "RingFlash.Reference", "Operators");

    /// <summary>Approximate or library-defined functions, whose bits differ between machines and versions.</summary>
    private static readonly string[] BannedWords =
    [
        "Estimate(", "Vector512.Exp(", "Vector512.Log(", "TensorPrimitives.", "MathF.Exp(", "MathF.Log(", "MathF.Sin(",
        "MathF.Cos(",
    ];

    /// <summary>The arrows of the design; a folder knows itself and those before it. One step forks.</summary>
    private static readonly string[][] Order =
    [
        ["Numerics"], ["Checkpoint"], ["Configuration", "Dumps"], ["Devices"], ["Operators", "Tokenization"], ["Model"],
        ["Pictures"],
        ["Generation", "Objective", "Verification"], ["Comparison"], ["Diagnosis"], ["Benchmarks"], ["Cli"],
    ];

    public static TheoryData<string> Operators =>
        [.. Directory.GetDirectories(OperatorFolder).Order(StringComparer.Ordinal).Select(
            path => Path.GetFileName(path))];

    [Fact]
    public void ThereAreOperators() => Assert.True(Operators.Count >= 17);

    [Theory]
    [MemberData(nameof(Operators))]
    public void EveryFolderOpensWithItsPage(string name)
    {
        string page = Page(name);
        foreach (string label in new string[] { "Maths:", "Axes:", "Rounding points:", "Source:" })
        {
            Assert.True(
                page.Contains(label, StringComparison.OrdinalIgnoreCase), $"{name}.cs has no paragraph {label}");
        }

        bool hasBound = Regex.IsMatch(page, "<para>Bound[^:]*:");
        bool hasArithmetic = !Regex.IsMatch(page, @"There is no vector\s+(/// )?path");
        Assert.True(hasBound == hasArithmetic, $"{name}.cs: bound {hasBound}, arithmetic {hasArithmetic}");
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void RolesSitInTheFilesNamedAfterThem(string name)
    {
        foreach (string file in Directory.GetFiles(Path.Combine(OperatorFolder, name), "*.cs"))
        {
            string text = File.ReadAllText(file);
            string fileName = Path.GetFileName(file);
            string oracle = name + ".Oracle.cs", vectors = name + ".Vector512.cs";
            bool hasExact = Regex.IsMatch(text, @"^    public static .* Exact\(", RegexOptions.Multiline);
            bool hasVectorised =
                Regex.IsMatch(text, @"^    public static .* Vectorised(<\w+>)?\(", RegexOptions.Multiline);
            Assert.True(hasExact == (fileName == oracle), $"{fileName}: Exact lives in {oracle}");
            Assert.True(hasVectorised == (fileName == vectors), $"{fileName}: Vectorised lives in {vectors}");
        }
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void EveryOperatorHasItsTestsWhereAReaderLooks(string name)
    {
        string folder = Path.Combine(RepositoryRoot.Path, "tests", "RingFlash.Reference.Tests", "Operators", name);
        Assert.True(File.Exists(Path.Combine(folder, name + "Examples.cs")), $"{folder} has no {name}Examples.cs");
        foreach (string file in Directory.GetFiles(folder, "*.cs"))
        {
            Assert.StartsWith("// ", File.ReadLines(file).First(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void OperatorsUseNoFunctionWhoseBitsAreNotFixed()
    {
        List<string> found = [];
        foreach (string file in Files(OperatorFolder))
        {
            string text = File.ReadAllText(file);
            found.AddRange(BannedWords
                .Where(word => text.Contains(word, StringComparison.Ordinal))
                .Select(word => $"{file}: {word}"));
        }

        Assert.Empty(found);
    }

    [Fact]
    public void FoldersKnowOnlyThoseBeforeThem()
    {
        List<string> found = [];
        for (int step = 0; step < Order.Length; step++)
        {
            foreach (string folder in Order[step])
            {
                // Folders of one step do not know each other either.
                string[] later = [.. Order.Skip(step).SelectMany(names => names).Where(name => name != folder)];
                string path = folder == "Cli"
                    ? Path.Combine(Source, "RingFlash.Cli")
                    : Path.Combine(Source, "RingFlash.Reference", folder);
                found.AddRange(Files(path).SelectMany(file => File.ReadLines(file)
                    .Where(line => later.Any(name => Regex.IsMatch(line, $@"\bRingFlash\.(Reference\.)?{name}\b")))
                    .Select(line => $"{file}: {line.Trim()}")));
            }
        }

        Assert.Empty(found);
    }

    [Fact]
    public void EveryFolderOfTheLibraryHasItsPlaceInTheOrder()
    {
        IEnumerable<string?> folders = Directory.GetDirectories(Path.Combine(Source, "RingFlash.Reference"))
            .Select(Path.GetFileName)
            .Where(name => name is not ("bin" or "obj"));
        Assert.Empty(folders.Except(Order.SelectMany(names => names)));
    }

    [Fact]
    public void LinesFitTheWidthOfAPage()
    {
        string[] roots = [Source, Path.Combine(RepositoryRoot.Path, "tests")];
        Assert.Empty(roots.SelectMany(Files).SelectMany(file => File.ReadLines(file)
            .Select((line, index) => (line, index))
            .Where(entry => entry.line.Length > LongestLine && !entry.line.Contains("://", StringComparison.Ordinal))
            .Select(entry => $"{file}:{entry.index + 1}: {entry.line.Length} characters")));
    }

    private static string Page(string name)
    {
        string text = File.ReadAllText(Path.Combine(OperatorFolder, name, name + ".cs"));
        return text[..text.IndexOf($"class {name}", StringComparison.Ordinal)];
    }

    private static IEnumerable<string> Files(string folder) => !Directory.Exists(folder)
        ? []
        : Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains(
                $"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));
}
