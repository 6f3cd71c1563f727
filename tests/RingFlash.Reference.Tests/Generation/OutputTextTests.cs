// Red means: text before a stop string is lost, a part of the stop string is shown, or it is not found.
using System.Linq;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class OutputTextTests
{
    [Theory]
    [InlineData("a|b|c", "", "a|b|c", null)]
    [InlineData("one| st|op| two", "stop", "one| |", "stop")]
    [InlineData("one| st|ep| two", "stop", "one| |step| two", null)]
    [InlineData("aab", "ab", "a", "ab")]
    [InlineData("a|a|b", "aab", "||", "aab")]
    [InlineData("a|a|a|b", "aab", "||a|", "aab")]
    [InlineData("xy", "y,xy", "", "xy")]
    [InlineData("xyz", "yz,y", "x", "yz")]
    [InlineData("end\n|\nmore", "\n\n", "end|", "\n\n")]
    public void Pieces_come_as_soon_as_they_are_certain(string pieces, string stops, string expected, string? found)
    {
        OutputText text = new([.. stops.Split(',').Where(stop => stop.Length > 0)]);
        string[] released = [.. pieces.Split('|').TakeWhile(_ => text.Found is null).Select(text.Append)];
        Assert.Equal(expected, string.Join('|', released));
        Assert.Equal(found, text.Found);
        Assert.Equal(string.Empty, text.End(string.Empty));
    }

    [Fact]
    public void What_was_held_back_comes_at_the_end()
    {
        OutputText text = new(["stop"]);
        Assert.Equal("a ", text.Append("a sto"));
        Assert.Equal("sto", text.End(string.Empty));
        text = new OutputText(["stop"]);
        Assert.Equal("a ", text.Append("a sto"));
        Assert.Equal(string.Empty, text.End("p and more"));
        Assert.Equal("stop", text.Found);
    }
}
