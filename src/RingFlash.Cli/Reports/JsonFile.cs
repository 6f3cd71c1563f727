using System;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Cli.Reports;

/// <summary>A report for machines: one indented object that begins with its schema and the tool's version.</summary>
internal static class JsonFile
{
    // Relaxed: the file is never pasted into HTML, and people read "u·gauge" more easily than its escape.
    private static readonly JsonWriterOptions Options =
        new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="schema">The schema's name.</param>
    /// <param name="members">Writes the other members.</param>
    public static void Save(string path, string schema, Action<Utf8JsonWriter> members) =>
        AtomicFile.Write(path, stream => Write(stream, schema, members));

    /// <summary>Writes to a stream.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="schema">The schema's name.</param>
    /// <param name="members">Writes the other members.</param>
    public static void Write(Stream stream, string schema, Action<Utf8JsonWriter> members)
    {
        using (Utf8JsonWriter json = new(stream, Options))
        {
            json.WriteStartObject();
            json.WriteString("schema", schema);
            json.WriteString("tool", $"ringflash {ToolVersion.Text}");
            members(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
