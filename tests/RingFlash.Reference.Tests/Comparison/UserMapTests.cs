// Red means: a map file that breaks a rule is accepted, or refused by something else than our own one-line error.
using System;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed partial class UserMapTests
{
    private const string Good = """
        {
          "format": "ringflash-map/1", "name": "mine", "source": "my port",
          "words": { "root": ["", "m."], "end": ["", ".out"] },
          "tensors": [
            { "name": "{root}l{layer}{end}", "tap": "model.layers.{layer}.output", "axes": ["t,b,width", "n,width"],
              "tokens": "all", "parts": "sum", "plus": "{root}l{layer}{end}.residual", "source": "here" },
            { "name": "{root}l{layer}.q", "tap": "model.layers.{layer}.attention.query_layernorm.output",
              "axes": "n*heads,width", "spare": true },
            { "name": "junk", "nothing": "not of interest" }
          ]
        }
        """;

    [Fact]
    public void Words_stand_for_every_choice_of_texts()
    {
        NameMap map = Parse(Good);
        Assert.Equal("mine", map.Name);
        Assert.Equal(
            ["l{layer}", "l{layer}.out", "m.l{layer}", "m.l{layer}.out"],
            map.Entries.Where(entry => entry.Plus is not null).Select(entry => entry.Name.Text)
                .Order(StringComparer.Ordinal));
        Assert.All(
            map.Entries.Where(entry => entry.Plus is not null),
            entry => Assert.Equal(entry.Name.Text + ".residual", entry.Plus!.Text));
    }

    [Theory]
    [InlineData("\"format\": \"ringflash-map/1\"", "\"format\": \"ringflash-map/2\"", "$.format")]
    [InlineData("\"name\": \"mine\", ", "", "$.name")]
    [InlineData("\"source\": \"my port\"", "\"sourc\": \"my port\"", "$.sourc")]
    [InlineData("\"end\": [\"\", \".out\"]", "\"end\": []", "$.words.end")]
    [InlineData("\"end\":", "\"layer\":", "$.words.layer")]
    [InlineData("\"end\":", "\"End\":", "$.words.End")]
    [InlineData("{root}l{layer}{end}\", \"tap\"", "{root}l{layer}{ende}\", \"tap\"", "$.tensors[0].name")]
    [InlineData("{root}l{layer}{end}\", \"tap\"", "{root}l{layer}{layer}\", \"tap\"", "$.tensors[0].name")]
    [InlineData("{root}l{layer}{end}\", \"tap\"", "{root}l{layer\", \"tap\"", "$.tensors[0].name")]
    [InlineData("{root}l{layer}{end}\", \"tap\"", "{root}l}\", \"tap\"", "$.tensors[0].name")]
    [InlineData("{root}l{layer}{end}\", \"tap\"", "norm\", \"tap\"", "$.tensors[0].plus")]
    [InlineData("\"model.layers.{layer}.output\"", "\"model.norm.output\"", "$.tensors[0].tap")]
    [InlineData("\"model.layers.{layer}.output\"", "\"model.layers.{expert}.output\"", "$.tensors[0].tap")]
    [InlineData("\"model.layers.{layer}.output\"", "7", "$.tensors[0].tap")]
    [InlineData("\"t,b,width\"", "\"t;b\"", "$.tensors[0].axes")]
    [InlineData("\"t,b,width\"", "\"b,width\"", "$.tensors[0].axes")]
    [InlineData("\"t,b,width\"", "\"t,n,width\"", "$.tensors[0].axes")]
    [InlineData("\"t,b,width\"", "\"t,t,width\"", "$.tensors[0].axes")]
    [InlineData("\"t,b,width\"", "\"t,heads\"", "$.tensors[0].axes")]
    [InlineData("\"t,b,width\"", "\"t,width\"", "$.tensors[0].axes")]
    [InlineData("\"axes\": [\"t,b,width\", \"n,width\"]", "\"axes\": []", "$.tensors[0].axes")]
    [InlineData("\"tokens\": \"all\"", "\"tokens\": \"some\"", "$.tensors[0].tokens")]
    [InlineData("\"parts\": \"sum\"", "\"parts\": \"mean\"", "$.tensors[0].parts")]
    [InlineData("\"spare\": true", "\"spare\": 1", "$.tensors[1].spare")]
    [InlineData("{root}l{layer}{end}.residual", "{root}l{expert}.residual", "$.tensors[0].plus")]
    [InlineData("\"nothing\": \"not of interest\"", "\"tap\": \"loss\", \"nothing\": \"x\"", "$.tensors[2].name")]
    [InlineData("\"nothing\": \"not of interest\"", "\"source\": \"x\"", "$.tensors[2].name")]
    [InlineData("\"nothing\": \"not of interest\"", "\"nothing\": \"x\", \"regex\": \".*\"", "$.tensors[2].regex")]
    public void What_breaks_a_rule_is_refused_at_its_place(string old, string changed, string place)
    {
        Assert.Contains(old, Good, StringComparison.Ordinal);
        string text = Good.Replace(old, changed, StringComparison.Ordinal);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Parse(text));
        Assert.StartsWith(place, refusal.Place, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("layer0", false)]
    [InlineData("layer12", true)]
    [InlineData("layer0123.x", false)]
    [InlineData("layer0.x", true)]
    [InlineData("layer01.x", false)]
    [InlineData("layer1234567.x", false)]
    [InlineData("layer-1.x", false)]
    [InlineData("layer.x", false)]
    [InlineData("layer1.xx", false)]
    [InlineData("layer\u0661.x", false)]
    public void A_number_is_plain(string name, bool matches)
    {
        // The first two rows are of the pattern without an end.
        string pattern = name.Contains('.', StringComparison.Ordinal) ? "layer{layer}.x" : "layer1{layer}";
        Assert.Equal(matches, NamePattern.Parse(pattern, "f", "p").Match(name) is not null);
    }

    [Fact]
    public void A_map_of_too_many_texts_is_refused()
    {
        string texts = string.Join(", ", Enumerable.Range(0, 64).Select(index => $"\"{index}\""));
        string map = $$"""
            { "format": "ringflash-map/1", "name": "big", "words": { "a": [{{texts}}], "b": [{{texts}}] },
              "tensors": [ { "name": "{a}{b}", "tap": "loss" } ] }
            """;
        Assert.Throws<InvalidInputException>(() => Parse(map));
    }

    [Fact]
    public void A_name_that_is_no_map_is_a_setting()
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => CandidateReader.FindMap("onnx"));
        Assert.True(refusal.IsSetting);
        Assert.Contains("transformers", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<EnvironmentException>(() => CandidateReader.FindMap("/nowhere/map.json"));
    }

    [Fact]
    public void A_damaged_map_ends_in_a_candidate_or_in_our_own_error()
    {
        string[] replacements =
        [
            "", "null", "true", "0", "-1", "1e400",
            "\"\"", "\"{layer}\"", "\"{\"", "\"}\"", "\"\\ud800\"", "\"\u0001\"",
            "[]", "{}", "[1]", "\"all\"", "\"query\"", "\"n,width\"", "\"loss\"", "\"name\"", "\"tap\"", "\"weight\"",
            "\"dense\"", "\"grouped\"", ",", ":", "}", "]",
        ];
        GoldenTaps golden = new("tiny-f32");
        CandidateReader reader = new(golden.Configuration, golden.Input);
        MemoryDump dump = new();
        foreach (string name in new[] { "l0", "m.l1.out", "m.l1.out.residual", "l2.q", "junk" })
        {
            dump.Add(name, new float[48 * 64], 48, 64);
        }

        MatchCollection tokens = Token().Matches(Good);
        int accepted = 0;
        for (int seed = 0; seed < 3000; seed++)
        {
            Random random = new(seed);
            Match token = tokens[random.Next(tokens.Count)];
            string replacement = replacements[random.Next(replacements.Length)];
            byte[] damaged = Encoding.UTF8.GetBytes(
                string.Concat(Good.AsSpan(0, token.Index), replacement, Good.AsSpan(token.Index + token.Length)));
            if (seed % 5 == 0)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            try
            {
                NameMap map = NameMapReader.Parse(damaged, "mine.json");
                accepted++;
                foreach (CandidateTap tap in reader.Read(dump, map).Taps.Values)
                {
                    tap.ReadSingle(0, new float[tap.ElementCount]);
                }
            }
            catch (InvalidInputException exception)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, token {token.Value} -> {replacement}: {exception}");
            }
        }

        Assert.InRange(accepted, 100, 2900);
    }

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|[\\[\\]{}:,]|true|false")]
    private static partial Regex Token();

    private static NameMap Parse(string text) => NameMapReader.Parse(Encoding.UTF8.GetBytes(text), "mine.json");
}
