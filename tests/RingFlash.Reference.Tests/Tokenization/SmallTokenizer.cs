// Red here means that the tests' own tokenizer cannot be read; see the readers' tests first.
using System.IO;
using System.Text;
using System.Text.Json.Nodes;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>
/// A tokenizer of our own in the published format, 495 tokens, trained by <c>tools/tokenizer/small-tokenizer.js</c>.
/// </summary>
internal static class SmallTokenizer
{
    public static ModelTokenizer Instance { get; } = ModelTokenizer.Load(PathOf("tokenizer.json"));

    public static string PathOf(string name) => Path.Combine(
        RepositoryRoot.Path, "tests", "RingFlash.Reference.Tests", "Tokenization", "Data", name);

    /// <summary>A fresh copy of the file, to be damaged.</summary>
    public static JsonObject Json() => JsonNode.Parse(File.ReadAllText(PathOf("tokenizer.json")))!.AsObject();

    public static ModelTokenizer Read(JsonNode json) =>
        ModelTokenizer.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "small.json");
}
