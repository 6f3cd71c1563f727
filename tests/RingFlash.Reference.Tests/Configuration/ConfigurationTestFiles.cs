// If this helper is wrong, the configuration tests read other files than the ones they name.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

internal static class ConfigurationTestFiles
{
    public static string RepositoryRoot { get; } = FindRoot();

    public static string TinyPath => GoldenPath("tiny-f32");

    public static string GoldenPath(string name) => Path.Combine(RepositoryRoot, "golden", name, "config.json");

    public static IEnumerable<string> GoldenNames() =>
        Directory.EnumerateDirectories(Path.Combine(RepositoryRoot, "golden"))
            .Where(folder => File.Exists(Path.Combine(folder, "config.json")))
            .Select(folder => Path.GetFileName(folder))
            .Order(StringComparer.Ordinal);

    /// <summary>A valid configuration with one thing changed, as UTF-8.</summary>
    public static byte[] Edited(Action<JsonObject> edit, string name = "tiny-f32")
    {
        JsonObject root = JsonNode.Parse(File.ReadAllBytes(GoldenPath(name)))!.AsObject();
        edit(root);
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    public static ModelConfiguration Read(Action<JsonObject> edit, string name = "tiny-f32") =>
        ConfigurationReader.Read(Edited(edit, name), "config.json");

    /// <summary>A valid configuration with the raw text of one value replaced, so that 1e400 stays 1e400.</summary>
    public static byte[] WithRaw(string key, string rawValue, string name = "tiny-f32")
    {
        string marked = Encoding.UTF8.GetString(Edited(root => root[key] = "@@@", name));
        return Encoding.UTF8.GetBytes(marked.Replace("\"@@@\"", rawValue, StringComparison.Ordinal));
    }

    /// <summary>Asserts a refusal whose one-line message begins with file and place and names the rule.</summary>
    public static void AssertRefused(byte[] json, string place, params string[] parts)
    {
        InvalidInputException exception = Assert.Throws<InvalidInputException>(
            () => ConfigurationReader.Read(json, "config.json"));
        AssertMessage(exception, "config.json: " + place + ": ", parts);
    }

    public static void AssertMessage(Exception exception, string start, params string[] parts)
    {
        Assert.StartsWith(start, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
        foreach (string part in parts)
        {
            Assert.Contains(part, exception.Message, StringComparison.Ordinal);
        }
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RingFlash.Reference.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("no RingFlash.Reference.sln above " + AppContext.BaseDirectory);
    }
}
