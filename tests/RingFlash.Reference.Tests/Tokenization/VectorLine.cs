// Red here: see the test that was comparing.
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>A line of parity vectors: text, ids, and both decoded forms.</summary>
internal static class VectorLine
{
    public static void Check(ModelTokenizer tokenizer, JsonLine line)
    {
        string text = line.Value.GetProperty("text").GetString()!;
        int[] ids = [.. line.Value.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        string decoded = line.Value.GetProperty("decoded").GetString()!;
        string skipped = line.Value.TryGetProperty("decoded_skip_special", out JsonElement given)
            ? given.GetString()!
            : decoded;
        int[] found = tokenizer.Encode(text);
        Assert.True(
            ids.SequenceEqual(found),
            $"{line.SourceName}: {text}: [{string.Join(' ', ids)}] became [{string.Join(' ', found)}]");
        Assert.Equal(decoded, tokenizer.Decode(ids));
        Assert.Equal(skipped, tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal(decoded, Stream(new StreamingDecoder(tokenizer), ids));
        Assert.Equal(skipped, Stream(new StreamingDecoder(tokenizer, skipSpecialTokens: true), ids));
    }

    private static string Stream(StreamingDecoder decoder, int[] ids) =>
        string.Concat(ids.Select(decoder.Append)) + decoder.Flush();
}
