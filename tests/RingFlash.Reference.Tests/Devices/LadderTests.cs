// Red here: Ladder.md shows PTX that the compiler does not give any more; show the kernel and copy what it says now.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using RingFlash.Reference.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

public sealed partial class LadderTests
{
    private static readonly string Page =
        File.ReadAllText(Path.Combine(RepositoryRoot.Path, "src/RingFlash.Reference/Devices/Ladder.md"));

    public static TheoryData<string, string> Excerpts =>
        [.. Blocks().Select(block => (block.Kernel, block.Text))];

    [Fact]
    public void ThereAreExcerptsOfBothOperators()
    {
        Assert.Contains(Blocks(), block => block.Kernel.StartsWith("RmsNorm.", StringComparison.Ordinal));
        Assert.Contains(Blocks(), block => block.Kernel.StartsWith("LinearProjection.", StringComparison.Ordinal));
    }

    /// <summary>Line for line and without a gap; the numbers of registers may move.</summary>
    [Theory]
    [MemberData(nameof(Excerpts))]
    public void ExcerptsAreWhatTheCompilerGives(string kernel, string text)
    {
        KernelEntry entry = KernelCatalogue.Of(typeof(KernelHost).Assembly).Single(found => found.Name == kernel);
        string ptx = PtxCompiler.Compile(entry);
        Assert.True(Plain(ptx).Contains(Plain(text), StringComparison.Ordinal), $"{kernel} has not\n{text}");
        Assert.DoesNotContain(Plain(text.Replace(".rn", ".rz", StringComparison.Ordinal) + "ret;"), Plain(ptx));
    }

    private static IEnumerable<(string Kernel, string Text)> Blocks() =>
        Block().Matches(Page).Select(match => (match.Groups["kernel"].Value, match.Groups["text"].Value));

    private static string Plain(string ptx) =>
        string.Join('\n', Register().Replace(ptx, "%$1").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => Blank().Replace(line.Trim(), " "))
            .Where(line => line.Length > 0));

    [GeneratedRegex(@"```ptx\n// (?<kernel>[^\n]+)\n(?<text>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"%(rd|r|f|p|fd)\d+")]
    private static partial Regex Register();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
