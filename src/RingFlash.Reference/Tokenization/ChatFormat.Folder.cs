using System;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

// Which format a folder's template is.
public sealed partial class ChatFormat
{
    private const string TemplateFile = "chat_template.jinja", SettingsFile = "tokenizer_config.json";
    private const int MaximumByteCount = 16 << 20;

    /// <summary>Recognises the template of a folder by its SHA-256.</summary>
    /// <param name="folder">
    /// A checkpoint folder; <c>chat_template.jinja</c> is looked at first, then <c>tokenizer_config.json</c>.
    /// </param>
    /// <returns>The format.</returns>
    /// <exception cref="InvalidInputException">There is no template, or it is unknown.</exception>
    public static ChatFormat ForFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string known = string.Join(", ", All.Select(format => format.Name));
        (string source, string template) = FindTemplate(folder) ?? throw new InvalidInputException(
            folder,
            string.Empty,
            $"has no chat template, neither in {TemplateFile} nor in {SettingsFile}; name one of {known}, or give the "
            + "prompt as text or ids");
        string hash = Hash(template);
        return All.FirstOrDefault(format => format.TemplateSha256 == hash) ?? throw new InvalidInputException(
            source,
            string.Empty,
            $"the chat template with SHA-256 {hash} is unknown and is not guessed at; name one of {known}, or render "
            + "the chat with Transformers and give the prompt as text or ids");
    }

    /// <summary>The SHA-256 of a folder's template, whether it is a known one or not.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>Lower-case hexadecimal; null when there is no template.</returns>
    /// <exception cref="InvalidInputException">A file breaks a rule.</exception>
    internal static string? TemplateHash(string folder) =>
        FindTemplate(folder) is (_, string template) ? Hash(template) : null;

    private static (string Source, string Template)? FindTemplate(string folder)
    {
        string path = Path.Combine(folder, TemplateFile);
        if (File.Exists(path))
        {
            byte[] bytes = SmallFile.Read(path, MaximumByteCount, "a chat template");
            return Utf8.IsValid(bytes)
                ? (path, Encoding.UTF8.GetString(bytes))
                : throw new InvalidInputException(path, string.Empty, "not valid UTF-8");
        }

        path = Path.Combine(folder, SettingsFile);
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] json = SmallFile.Read(path, MaximumByteCount, "a tokenizer's settings");
        using JsonDocument document = StrictJson.Parse(json, path);
        JsonSection settings = new(document.RootElement, path, "$");
        return settings.OptionalText("chat_template") is string template ? (path, template) : null;
    }

    // Jinja drops one line feed at the end, so a file that an editor ended with one means the same.
    private static string Hash(string template)
    {
        string text = template.EndsWith('\n') ? template[..^1] : template;
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
