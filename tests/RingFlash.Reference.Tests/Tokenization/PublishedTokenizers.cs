// Red here means that the published tokenizers' files were found and are not what they should be.
using System;
using System.IO;
using System.IO.Compression;
using System.Security.Cryptography;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>
/// The published <c>tokenizer.json</c> files and what Hugging Face's programs make of them. They are not part of this
/// project; where a folder <c>shared/tokenizer</c> lies beside it or above it, they are read there.
/// </summary>
internal static class PublishedTokenizers
{
    private static readonly string? Folder = FindFolder();

    private static readonly Lazy<ModelTokenizer> LazyFlash = new(() => Load(
        "ring-flash-2.0", "900b1506b10cb9990d08d7e9101382b86f35d49b3c4907181f84dcf5101e060e"));

    private static readonly Lazy<ModelTokenizer> LazyMini = new(() => Load(
        "ring-mini-2.0", "e7c002c08ea2a08f0c0f28f92ca7d36163a4435c87f3a2bd4ef05bdb6bc1a300"));

    public static ModelTokenizer Flash => LazyFlash.Value;

    public static ModelTokenizer Mini => LazyMini.Value;

    public static void SkipIfNotAvailable() =>
        Assert.SkipWhen(Folder is null, "not available: no folder shared/tokenizer with the published tokenizers");

    public static string PathOf(string name) => Path.Combine(Folder!, name);

    public static ModelTokenizer Get(string name) => name == "ring-flash-2.0" ? Flash : Mini;

    /// <summary>The decompressed <c>tokenizer.json</c>.</summary>
    public static byte[] Json(string name)
    {
        using FileStream file = File.OpenRead(PathOf(name + ".tokenizer.json.br"));
        using BrotliStream brotli = new(file, CompressionMode.Decompress);
        MemoryStream json = new();
        brotli.CopyTo(json);
        return json.ToArray();
    }

    private static ModelTokenizer Load(string name, string sha256)
    {
        byte[] json = Json(name);
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(json)));
        return ModelTokenizer.Read(json, name);
    }

    private static string? FindFolder()
    {
        for (DirectoryInfo? folder = new(RepositoryRoot.Path); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "shared", "tokenizer");
            if (File.Exists(Path.Combine(candidate, "ring-flash-2.0.tokenizer.json.br")))
            {
                return candidate;
            }
        }

        return null;
    }
}
