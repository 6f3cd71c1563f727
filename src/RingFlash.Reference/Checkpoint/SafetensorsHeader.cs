using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// The JSON header of a safetensors file, read as data from a stranger. What two parsers could read
/// differently is refused here: a name twice, a hole, an overlap, a number that is not plainly an integer.
/// </summary>
/// <remarks>
/// The header is <c>{"name": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [0, 64]}, …}</c>, offsets counted from
/// the end of the header, plus an optional <c>__metadata__</c> of strings. System.Text.Json keeps the last of two equal
/// names and lets <c>-0</c> pass as an integer, so its token reader is used and nothing above it.
/// </remarks>
internal sealed partial class SafetensorsHeader
{
    /// <summary>The largest header in bytes, as in the published library.</summary>
    public const int MaximumLength = 100_000_000;

    /// <summary>The most tensors in one file.</summary>
    public const int MaximumTensorCount = 1_000_000;

    /// <summary>The longest name in bytes of UTF-8, escapes counted as written.</summary>
    public const int MaximumNameLength = 4096;

    /// <summary>The most axes of a tensor.</summary>
    public const int MaximumRank = 16;

    /// <summary>The longest metadata string in bytes, escapes counted as written.</summary>
    public const int MaximumMetadataLength = 1 << 20;

    // Root object, tensor object, array: nothing legal is nested deeper.
    private const int MaximumDepth = 3;

    private const int LengthPrefix = 8;

    private readonly string source;
    private readonly ulong dataLength;

    private SafetensorsHeader(string source, ulong dataLength)
    {
        this.source = source;
        this.dataLength = dataLength;
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public List<Entry> Entries { get; private set; } = [];

    /// <summary>The strings of <c>__metadata__</c>; empty when absent.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads and checks a header.</summary>
    /// <param name="source">The file, for messages.</param>
    /// <param name="header">[header length], bytes, read; without the eight bytes of its length.</param>
    /// <param name="dataLength">The number of bytes that follow the header.</param>
    /// <returns>The header.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static SafetensorsHeader Parse(string source, ReadOnlySpan<byte> header, long dataLength)
    {
        SafetensorsHeader result = new(source, (ulong)dataLength);
        ReadOnlySpan<byte> json = result.CheckText(header);
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = MaximumDepth });
        try
        {
            result.ReadRoot(ref reader);
        }
        catch (JsonException exception)
        {
            string problem = FirstSentence(exception.Message);
            throw result.Broken(reader.BytesConsumed, $"not valid JSON for a header: {problem}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // GetString meets an escape such as \ud800 that no UTF-16 text can hold.
            throw result.Broken(reader.TokenStartIndex, "a string has a lone surrogate escape", exception);
        }

        result.CheckTiling();
        return result;
    }

    /// <summary>Shortens a name: messages are cut at 600 characters, and the rule must stay in.</summary>
    /// <param name="name">A name from the file.</param>
    /// <returns>At most its first 120 characters.</returns>
    internal static string Shown(string name) => name.Length <= 120 ? name : name[..120] + "…";

    private ReadOnlySpan<byte> CheckText(ReadOnlySpan<byte> header)
    {
        if (header.Length < 2)
        {
            throw Broken(0, $"header length is {header.Length}: no JSON object fits, the shortest is 2 bytes");
        }

        if (header[0] != (byte)'{')
        {
            throw Broken(0, $"the header must begin with '{{' (0x7B), found 0x{header[0]:X2}");
        }

        if (!Utf8.IsValid(header))
        {
            throw Broken(FirstInvalidUtf8(header), "the header is not valid UTF-8");
        }

        ReadOnlySpan<byte> json = header.TrimEnd((byte)' ');
        if (json[^1] != (byte)'}')
        {
            throw Broken(
                json.Length - 1,
                $"the header must end with '}}' and be padded with spaces (0x20) only, found 0x{json[^1]:X2}");
        }

        return json;
    }

    private void ReadRoot(ref Utf8JsonReader reader)
    {
        reader.Read(); // the opening brace, checked already
        HashSet<string> names = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = ReadName(ref reader, "tensor name");
            if (!names.Add(name))
            {
                throw Broken(reader.TokenStartIndex, $"tensor \"{Shown(name)}\": the name occurs twice");
            }

            if (name == "__metadata__")
            {
                ReadMetadata(ref reader);
                continue;
            }

            if (Entries.Count == MaximumTensorCount)
            {
                throw Broken(reader.TokenStartIndex, $"more than {MaximumTensorCount} tensors");
            }

            Entries.Add(ReadTensor(ref reader, name));
        }

        if (reader.Read())
        {
            throw Broken(reader.TokenStartIndex, "text after the header's object");
        }
    }

    private string ReadName(ref Utf8JsonReader reader, string kind)
    {
        if (reader.ValueSpan.Length > MaximumNameLength)
        {
            throw Broken(
                reader.TokenStartIndex,
                $"{kind} has {reader.ValueSpan.Length} bytes, the limit is {MaximumNameLength}");
        }

        return reader.GetString()!;
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Broken(reader.TokenStartIndex, "__metadata__ must be an object of strings");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = ReadName(ref reader, "__metadata__ key");
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw Broken(
                    reader.TokenStartIndex,
                    $"__metadata__.\"{Shown(key)}\" must be a string, found {reader.TokenType}");
            }

            if (reader.ValueSpan.Length > MaximumMetadataLength)
            {
                throw Broken(
                    reader.TokenStartIndex,
                    $"__metadata__.\"{Shown(key)}\" has {reader.ValueSpan.Length} bytes, "
                    + $"the limit is {MaximumMetadataLength}");
            }

            if (!Metadata.TryAdd(key, reader.GetString()!))
            {
                throw Broken(reader.TokenStartIndex, $"__metadata__.\"{Shown(key)}\" occurs twice");
            }
        }
    }

    // Tensors must tile the data: a byte that no tensor owns, or that two own, lets one file mean two things.
    private void CheckTiling()
    {
        Entries.Sort(static (left, right) => (left.Begin, left.End).CompareTo((right.Begin, right.End)));
        long position = 0;
        string previous = "the start of the data";
        foreach (Entry entry in Entries)
        {
            string current = $"tensor \"{Shown(entry.Tensor.Name)}\"";
            if (entry.Begin < position)
            {
                throw new InvalidInputException(
                    source,
                    current,
                    $"overlap: begins at {entry.Begin}, but {previous} ends at {position}");
            }

            if (entry.Begin > position)
            {
                throw new InvalidInputException(
                    source,
                    current,
                    $"hole: begins at {entry.Begin}, but {previous} ends at {position}");
            }

            position = entry.End;
            previous = current;
        }

        if ((ulong)position != dataLength)
        {
            throw new InvalidInputException(
                source,
                $"data offset {position.ToString(CultureInfo.InvariantCulture)}",
                $"hole: {dataLength - (ulong)position} bytes after {previous} belong to no tensor "
                + $"(tensors end at {position}, data at {dataLength})");
        }
    }

    private static int FirstInvalidUtf8(ReadOnlySpan<byte> text)
    {
        int position = 0;
        while (position < text.Length
            && Rune.DecodeFromUtf8(text[position..], out _, out int consumed) == System.Buffers.OperationStatus.Done)
        {
            position += consumed;
        }

        return position;
    }

    // The reader adds " LineNumber: … | BytePositionInLine: …", which says less than the byte offset given already.
    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(". LineNumber", StringComparison.Ordinal);
        return end < 0 ? message : message[..end];
    }

    private InvalidInputException Broken(long position, string rule, Exception? inner = null) =>
        new(source, $"byte {LengthPrefix + position}", rule, inner);

    private InvalidInputException Tensor(string name, long position, string rule) =>
        new(source, $"byte {LengthPrefix + position}: tensor \"{Shown(name)}\"", rule);

    /// <summary>A tensor and its bytes, counted from the end of the header.</summary>
    /// <param name="Tensor">Name, type and shape.</param>
    /// <param name="Begin">The first byte.</param>
    /// <param name="End">One past the last byte.</param>
    public sealed record Entry(TensorInfo Tensor, long Begin, long End);
}
