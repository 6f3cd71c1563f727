// Red here means that an answer of a hostile server ends in another error than the tool's own, or in none at all.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli.ServerCheck;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ServerAnswerFuzzTests
{
    private static readonly string[] Pieces =
    [
        "null", "NaN", "-Infinity", "1e999", "-1", "99999999999", "{}", "[]", "\"\"", "\"\\ud800\"", "[[[[", "}", "]",
        ",", ":", "0.5", "-9999.0", "true", "\"token_id:5\"", "\\", "\u0000", "\"routed_experts\":\"k05VTVBZAQA=\"",
    ];

    [Theory]
    [InlineData("vllm", "vllm")]
    [InlineData("sglang", "sglang")]
    [InlineData("openai", "openai")]
    [InlineData("texts", "openai")]
    public async Task DamagedAnswersEndInOurOwnErrors(string kind, string api)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        using HttpClient client = new();
        ServerDialect dialect = ServerDialect.Of(api)!;
        ScoreRequest request = new([[1, 2, 3], [4, 5]], 1) { PromptScores = true, Experts = true };
        using ByteArrayContent content = new(dialect.Body(request, "ring"));
        using HttpResponseMessage response =
            await client.PostAsync($"{server.Address}/{dialect.Path}", content);
        byte[] good = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal("read", Read(good));

        Random random = new(4711);
        Dictionary<string, int> ends = [];
        for (int round = 0; round < 6000; round++)
        {
            byte[] bad = good;
            for (int times = random.Next(1, 4); times > 0; times--)
            {
                bad = Damage(bad, random);
            }

            string end = Read(bad);
            ends[end] = ends.GetValueOrDefault(end) + 1;
        }

        // Damage that never is one, or always the same, would test nothing.
        Assert.Superset(new HashSet<string> { "read", "not-json", "wrong shape", "truncated" }, ends.Keys.ToHashSet());

        string Read(byte[] body)
        {
            OddityList oddities = new();
            AnswerReading reading = new(
                model.Configuration, new TokenNames(null, model.Configuration.VocabularySize), oddities);
            try
            {
                JsonElement root = ServerConnection.Parse(body, "POST", oddities);
                IReadOnlyList<ServedSequence> sequences = dialect.Read(new AnswerFields(root), request, reading);
                Assert.Equal(2, sequences.Count);
                Assert.All(sequences.SelectMany(Numbers), number => Assert.True(double.IsFinite(number)));
                return "read";
            }
            catch (ServerFaultException fault)
            {
                return fault.Oddity.Kind.Name;
            }
            catch (InvalidInputException)
            {
                return "wrong shape";
            }
        }
    }

    [Theory]
    [InlineData("[NaN,\"NaN\",-Infinity,Infinity]", "[\"NaN\",\"NaN\",\"-Infinity\",\"Infinity\"]")]
    [InlineData("{\"a NaN\":\"x \\\" NaN\",\"b\":NaN}", "{\"a NaN\":\"x \\\" NaN\",\"b\":\"NaN\"}")]
    [InlineData("[1]", "[1]")]
    [InlineData("NaN", "\"NaN\"")]
    [InlineData("\"\\", "\"\\")]
    public void PythonsNumbersBecomeTexts(string json, string expected) => Assert.Equal(
        expected, Encoding.UTF8.GetString(PythonNumbers.ToStrings(Encoding.UTF8.GetBytes(json))));

    [Theory]
    [InlineData("", true)]
    [InlineData("{\"a\":[1,2", true)]
    [InlineData("{\"a\":\"b", true)]
    [InlineData("{\"a\":nul", true)]
    [InlineData("{\"a\":1}", false)]
    [InlineData("{\"a\":1}x", false)]
    [InlineData("7", false)]
    [InlineData("nope", false)]
    public void AnEndThatIsMissingIsKnown(string json, bool incomplete) =>
        Assert.Equal(incomplete, PythonNumbers.IsIncomplete(Encoding.UTF8.GetBytes(json)));

    private static IEnumerable<double> Numbers(ServedSequence sequence) =>
        (sequence.Prompt ?? []).Concat(sequence.Generated ?? [])
            .Where(place => place is not null)
            .SelectMany(place => place!.Top.Append(place.Token))
            .Where(token => token?.LogProbability is not null)
            .Select(token => token!.LogProbability!.Value);

    private static byte[] Damage(byte[] json, Random random)
    {
        int at = random.Next(json.Length + 1), length = Math.Min(random.Next(1, 12), json.Length - at);
        switch (random.Next(5))
        {
            case 0:
                byte[] flipped = [.. json];
                for (int index = at; index < at + length; index++)
                {
                    flipped[index] ^= (byte)(1 << random.Next(8));
                }

                return flipped;
            case 1:
                return [.. json[..at], .. json[(at + length)..]];
            case 2:
                return [.. json[..at], .. Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]), .. json[at..]];
            case 3:
                return Replace(json, random);
            default:
                return random.Next(4) == 0 ? json[..at] : Replace(json, random);
        }
    }

    // One value by another: what stays is good JSON of a wrong shape.
    private static byte[] Replace(byte[] json, Random random)
    {
        List<(int Start, int End)> values = [];
        for (int index = 1; index < json.Length; index++)
        {
            if (json[index - 1] is (byte)':' or (byte)',' or (byte)'[')
            {
                int end = json.AsSpan(index).IndexOfAny((byte)',', (byte)']', (byte)'}');
                if (end > 0)
                {
                    values.Add((index, index + end));
                }
            }
        }

        if (values.Count == 0)
        {
            return json;
        }

        (int from, int to) = values[random.Next(values.Count)];
        return [.. json[..from], .. Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]), .. json[to..]];
    }
}
