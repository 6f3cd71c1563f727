// Red here means that a damaged or extreme case crashes the tool, is accepted although a rule forbids it, is refused
// although the rules give it a result, or is refused in several lines or with a wrong exit code.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopBadInputTests : IDisposable
{
    private const string Good =
        """
        {"schema": 1, "case": "good", "config": {"alpha": 0.5, "beta": 5, "eps_low": 0.2, "eps_high": 0.2,
        "kl_coef": 0.0}, "shape": [2, 2], "inputs": {"advantages": [1.0, -1.0], "mask": [[1, 1], [1, 0]],
        "logp_theta": [[-1, -2], [-3, -4]], "logp_old": [[-1, -2.5], [-3, -4]], "logp_infer": [[-1.5, -2], [-3, -4]]}}
        """;

    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Theory]
    [InlineData("\"alpha\": 0.5", "\"alpha\": 6", "$.config: The band needs")]
    [InlineData("\"alpha\": 0.5", "\"alpha\": -1", "$.config: The band needs")]
    [InlineData("\"alpha\": 0.5", "\"alpha\": \"NaN\"", "$.config: The band needs")]
    [InlineData("\"beta\": 5", "\"beta\": \"NaN\"", "$.config: The band needs")]
    [InlineData("\"beta\": 5", "\"beta\": 0", "$.config: The band needs")]
    [InlineData("\"eps_low\": 0.2", "\"eps_low\": \"NaN\"", "$.config: The clip needs")]
    [InlineData("\"kl_coef\": 0.0", "\"kl_coef\": 0.1", "$.inputs.logp_ref: required")]
    [InlineData("[1.0, -1.0]", "[1.0, \"NaN\"]", "advantage of rollout 1 is NaN")]
    [InlineData("[1.0, -1.0]", "[1.0, \"Infinity\"]", "advantage of rollout 1 is")]
    [InlineData(
        "[-3, -4]], \"logp_old\"", "[-3]], \"logp_old\"", "$.inputs.logp_theta[1]: must have 2 elements; found 1")]
    [InlineData("[[-1.5, -2], [-3, -4]]", "[[-1.5, -2]]", "$.inputs.logp_infer: must have 2 elements; found 1")]
    [InlineData("[1, 0]]", "[1, 2]]", "$.inputs.mask[1][1]: must be 0 or 1")]
    [InlineData("\"schema\": 1", "\"schema\": 2", "$.schema: must be 1")]
    [InlineData("\"schema\": 1,", "", "$.schema: required")]
    [InlineData("-2.5", "NaN", "not strict JSON")]
    [InlineData("-2.5", "null", "$.inputs.logp_old[0][1]: must be a float64 number")]
    public async Task IsOneLine(string text, string replacement, string expected)
    {
        await Refused(Damaged(text, replacement), "case.json", expected);
    }

    [Theory]
    [InlineData("-2.5", "2.5", 2, 0)]
    [InlineData("-2.5", "\"NaN\"", 2, 1)]
    [InlineData("-2.5", "\"-Infinity\"", 2, 1)]
    [InlineData("[[-1.5, -2]", "[[-1.5, \"-Infinity\"]", 2, 1)]
    [InlineData("[[1, 1], [1, 0]]", "[[0, 0], [0, 0]]", 0, 0)]
    [InlineData("[-3, -4]], \"logp_infer\"", "[-3, \"NaN\"]], \"logp_infer\"", 3, 0)]
    public async Task WhatTheRulesDefineHasAResult(string text, string replacement, int kept, int notFinite)
    {
        JsonNode values = await Evaluated(Damaged(text, replacement));
        Assert.Equal(kept, values["metrics"]!["kept_tokens"]!.GetValue<int>());
        Assert.Equal(notFinite, values["metrics"]!["nonfinite_log_ratio"]!.GetValue<int>());
        Assert.Equal(JsonValueKind.Number, values["loss"]!["seq_mean_token_mean"]!.GetValueKind());
    }

    [Theory]
    [InlineData("-2.5", "0.5", ExitCodes.BadInput)]
    [InlineData("[[-1.5, -2], [-3, -4]]", "[[-1.5, -2], [1e-300, -4]]", ExitCodes.BadInput)]
    [InlineData("[[-1.5, -2], [-3, -4]]", "[[-1.5, -2], [-3, 4]]", ExitCodes.WithinBudget)]
    [InlineData("-2.5", "0", ExitCodes.WithinBudget)]
    public async Task AKPopProfileNeedsProbabilities(string text, string replacement, int code)
    {
        string path = Damaged(text, replacement);
        ToolRun run = await IcePop("eval", path, "--profile", "areal/kpop_phi0.1");
        Assert.Equal(code, run.Code);
        Assert.Equal(ExitCodes.WithinBudget, (await IcePop("eval", path)).Code);
        if (code != ExitCodes.WithinBudget)
        {
            Assert.DoesNotContain('\n', run.Error.TrimEnd('\n', '\r'));
            Assert.Contains("needs probabilities", run.Error, StringComparison.Ordinal);
            Assert.Contains(", token ", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnOverflowingPolicyRatioIsInfinityAndAnEmptyMaskIsZero()
    {
        JsonNode overflow = await Evaluated(Damaged("[-3, -4]], \"logp_old\"", "[900, -4]], \"logp_old\""));
        Assert.Equal("Infinity", overflow["loss"]!["token_sum"]!.GetValue<string>());
        JsonNode empty = await Evaluated(Damaged("[[1, 1], [1, 0]]", "[[0, 0], [0, 0]]"));
        Assert.Equal(0, empty["loss"]!["token_mean"]!.GetValue<double>());
    }

    [Theory]
    [InlineData("case_005_offpolicy_ragged.json")]
    [InlineData("case_010_untruncated_alpha0_betainf.json")]
    [InlineData("case_018_nan_in_valid_infer.json")]
    [InlineData("case_029_kl_reference_online.json")]
    public async Task ALargeCaseHasTheValuesOfItsJson(string name)
    {
        string json = Path.Combine(RepositoryRoot.Golden, "icepop", name);
        JsonNode expected = await Evaluated(json);
        JsonNode actual = await Evaluated(Safetensors(JsonNode.Parse(File.ReadAllText(json))!));
        foreach (string key in new[] { "loss", "grad", "keep", "weight", "metrics", "kl" })
        {
            Assert.Equal(expected[key]?.ToJsonString(), actual[key]?.ToJsonString());
        }

        ToolRun folder = await IcePop("eval", _temporary.Path);
        Assert.Equal(ExitCodes.WithinBudget, folder.Code);
        Assert.StartsWith("1 case evaluated", folder.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alpha", null, "__metadata__.alpha: required")]
    [InlineData("alpha", "6", "__metadata__: The band needs")]
    [InlineData("beta", "NaN", "__metadata__: The band needs")]
    [InlineData("beta", "five", "__metadata__.beta: must be a decimal number")]
    [InlineData("kl_coef", "0.1", "logp_ref: required")]
    public async Task ALargeCaseWithABadConfigurationIsRefused(string key, string? value, string expected)
    {
        string path = Safetensors(JsonNode.Parse(Good)!, metadata =>
        {
            metadata.Remove(key);
            if (value is not null)
            {
                metadata[key] = value;
            }
        });
        await Refused(path, "case.safetensors", expected);
    }

    [Theory]
    [InlineData("mask", "mask: required")]
    [InlineData("logp_old", "logp_old: required")]
    [InlineData("logp_theta", "logp_theta: required")]
    public async Task ALargeCaseWithoutATensorIsRefused(string name, string expected)
    {
        string path = Safetensors(
            JsonNode.Parse(Good)!, change: contents => contents.RemoveAll(content => content.Tensor.Name == name));
        await Refused(path, "case.safetensors", expected);
    }

    [Fact]
    public async Task ALargeCaseWithAWrongShapeNameOrTypeIsRefused()
    {
        JsonNode good = JsonNode.Parse(Good)!;
        string Replaced(SafetensorsContent content) => Safetensors(good, change: contents =>
        {
            contents.RemoveAll(other => other.Tensor.Name == content.Tensor.Name);
            contents.Add(content);
        });
        await Refused(
            Replaced(SafetensorsContent.FromDouble("logp_old", [4, 1], new double[4])),
            "case.safetensors",
            "logp_old: must have the shape [2, 2]; found [4, 1]");
        await Refused(
            Replaced(SafetensorsContent.FromDouble("logp_theta", [4], new double[4])),
            "case.safetensors",
            "logp_theta: must be [rollouts, response]");
        await Refused(
            Replaced(SafetensorsContent.FromDouble("logp_thetta", [2, 2], new double[4])),
            "case.safetensors",
            "logp_thetta: no such input");
        await Refused(
            Replaced(SafetensorsContent.FromDouble("mask", [2, 2], new double[4])), "case.safetensors", "mask");
        await Refused(
            Replaced(SafetensorsContent.FromInt64("mask", [2, 2], new long[] { 1, 1, 7, 0 })),
            "case.safetensors",
            "mask[1][0]: must be 0 or 1; found 7");
        await Refused(
            Replaced(SafetensorsContent.FromDouble("advantages", [2], new[] { 1, double.NaN })),
            "case.safetensors",
            "advantage of rollout 1 is NaN");
        await Refused(_temporary.Write("cut.safetensors", new byte[] { 1, 2, 3 }), "cut.safetensors", "");
    }

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);

    private static async Task Refused(string path, string file, string expected)
    {
        ToolRun run = await IcePop("eval", path);

        // Bounds are somebody's choice and no data: wrong usage.
        bool setting = expected.Contains("The band needs", StringComparison.Ordinal)
            || expected.Contains("The clip needs", StringComparison.Ordinal);
        Assert.Equal(setting ? ExitCodes.WrongUsage : ExitCodes.BadInput, run.Code);
        string line = run.Error.TrimEnd('\n', '\r');
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        Assert.Contains(file, line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    private async Task<JsonNode> Evaluated(string path)
    {
        string json = _temporary.File("values.out");
        ToolRun run = await IcePop("eval", path, "--json", json);
        Assert.True(run.Code == ExitCodes.WithinBudget, run.Error + run.Output);
        return JsonNode.Parse(File.ReadAllText(json))!;
    }

    private string Damaged(string text, string replacement)
    {
        int place = Good.IndexOf(text, StringComparison.Ordinal);
        Assert.True(place >= 0, $"{text} is not in the case");
        return _temporary.Write("case.json", Good[..place] + replacement + Good[(place + text.Length)..]);
    }

    private string Safetensors(
        JsonNode loss,
        Action<Dictionary<string, string>>? metadata = null,
        Action<List<SafetensorsContent>>? change = null)
    {
        long[] shape = [.. loss["shape"]!.AsArray().Select(axis => axis!.GetValue<long>())];
        Dictionary<string, string> config = loss["config"]!.AsObject().ToDictionary(
            item => item.Key, item => item.Value!.ToString());
        List<SafetensorsContent> contents = [];
        foreach ((string name, JsonNode? values) in loss["inputs"]!.AsObject())
        {
            if (name.StartsWith("logp_", StringComparison.Ordinal) || name == "advantages")
            {
                double[] numbers = [.. Flat(values!)];
                contents.Add(SafetensorsContent.FromDouble(name, name == "advantages" ? [shape[0]] : shape, numbers));
            }
            else if (name == "mask")
            {
                long[] flags = [.. Flat(values!).Select(flag => (long)flag)];
                contents.Add(SafetensorsContent.FromInt64(name, shape, flags));
            }
        }

        metadata?.Invoke(config);
        change?.Invoke(contents);
        string path = _temporary.File("case.safetensors");
        SafetensorsWriter.Write(path, contents, config);
        return path;
    }

    private static IEnumerable<double> Flat(JsonNode node) => node is JsonArray array
        ? array.SelectMany(item => Flat(item!))
        : [double.Parse(node.ToString(), System.Globalization.CultureInfo.InvariantCulture)];
}
