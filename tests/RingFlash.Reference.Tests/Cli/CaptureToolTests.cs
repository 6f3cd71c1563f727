// Red here means that a captured case cannot be verified, passes for an outside authority, or is run with other weights
// than it was captured with.
using System;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Configuration;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class CaptureToolTests : IDisposable
{
    private const string Ids = "119,150,408,5,140,171,215,481";

    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Theory]
    [InlineData("bf16", "float32")]
    [InlineData("bf16", "bfloat16")]
    [InlineData("f32", "float32")]
    [InlineData("fp8", "float32")]
    [InlineData("fp8", "bfloat16")]
    public async Task ACheckpointsCaseVerifies(string dtype, string precision)
    {
        string folder = await Synth(dtype), output = temporary.File("case");
        ToolRun run = await Tool("capture", folder, "--ids", Ids, "--precision", precision, "--out", output);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        ToolRun verified = await Tool("verify", output, "--model", folder);
        Assert.Equal(ExitCodes.WithinBudget, verified.Code);
        Assert.Contains("2 passed, 0 failed, 0 not checked", verified.Output, StringComparison.Ordinal);
        Assert.Contains("tensors not compared 0", verified.Output, StringComparison.Ordinal);
        Assert.Contains("captured from RingFlash.Reference itself", verified.Output, StringComparison.Ordinal);
        using GoldenCase golden = GoldenCase.Open(output);
        Assert.Equal(
            precision == "bfloat16" ? ElementType.BFloat16 : ElementType.Float32,
            golden.File.RequireTensor("model.layers.1.output").ElementType);
        Assert.Equal(ElementType.Float32, golden.File.RequireTensor("model.layers.1.mlp.gate.scores").ElementType);
        Assert.Equal(ElementType.Float32, golden.File.RequireTensor("mtp.0.logits").ElementType);

        ToolRun alone = await Tool("verify", output);
        Assert.Equal(ExitCodes.OverBudget, alone.Code); // nothing compared is never a pass
        Assert.Contains("--model", alone.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADevicesCaseHasTheSameBytes()
    {
        string cpu = temporary.File("cpu"), device = temporary.File("case"); // the file names its folder
        string[] start = ["capture", $"synthetic:{Tiny}@3", "--ids", "119,150,5", "--out", device];
        Assert.Equal(ExitCodes.WithinBudget, (await Tool(start)).Code);
        Directory.Move(device, cpu);
        ToolRun run = await Tool([.. start, "--engine", "ilgpu-cpu"]);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.Contains("float32, ilgpu-cpu, in", run.Output, StringComparison.Ordinal);
        string[] tensors = [.. Directory.GetFiles(cpu, "*.safetensors").Select(path => Path.GetFileName(path)!)];
        Assert.NotEmpty(tensors);
        Assert.All(tensors, name => Assert.Equal(
            File.ReadAllBytes(Path.Combine(cpu, name)), File.ReadAllBytes(Path.Combine(device, name))));
    }

    [Fact]
    public async Task TheGoldenCasesOwnModelGivesItsNumbers()
    {
        // The first row of tiny-f32, whose numbers PyTorch computed: the captured taps lie where those lie.
        using GoldenCase golden = GoldenCase.Open(Path.Combine(RepositoryRoot.Golden, "tiny-f32"));
        long[] ids = [.. golden.RequireIntegers("input_ids", out _).Take(24)];
        string output = temporary.File("case");
        ToolRun run = await Tool(
            "capture", $"synthetic:{Tiny}@{golden.Seed}", "--ids", string.Join(',', ids), "--out", output);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        using GoldenCase captured = GoldenCase.Open(output);
        string[] taps = ["model.layers.0.output", "model.layers.3.output", "model.norm.output", "lm_head.output"];
        foreach (string tap in taps)
        {
            float[] ours = captured.File.ReadVector(tap), theirs = golden.File.ReadVector(tap)[..ours.Length];
            float largest = theirs.Max(MathF.Abs);
            Assert.All(ours.Zip(theirs), pair =>
                Assert.InRange(pair.First, pair.Second - (1e-5f * largest), pair.Second + (1e-5f * largest)));
        }

        int experts = 8 * 4;
        Assert.Equal(
            golden.Integers("model.layers.2.mlp.gate.topk_idx")![..experts],
            captured.Integers("model.layers.2.mlp.gate.topk_idx")![..experts]);
        Assert.Equal(ExitCodes.WithinBudget, (await Tool("verify", output)).Code);
    }

    [Fact]
    public async Task WeightsAreNamedByFileBytesAndHash()
    {
        string folder = await Synth("bf16"), output = temporary.File("case");
        Assert.Equal(
            ExitCodes.WithinBudget, (await Tool("capture", folder, "--ids", "5,6", "--out", output)).Code);
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder);
        using JsonDocument weights = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(output, "weights.json")));
        JsonElement[] tensors = [.. weights.RootElement.GetProperty("tensors").EnumerateArray()];
        foreach (JsonElement tensor in tensors)
        {
            byte[] file = File.ReadAllBytes(Path.Combine(folder, tensor.GetProperty("file").GetString()!));
            int begin = tensor.GetProperty("begin").GetInt32(), end = tensor.GetProperty("end").GetInt32();
            Assert.Equal(
                tensor.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(file[begin..end])));
            TensorInfo stored = checkpoint.RequireTensor(tensor.GetProperty("name").GetString()!);
            Assert.Equal(stored.ElementCount * stored.ElementType.ByteCount(), end - begin);
        }

        // Two tokens reach at most eight of sixteen experts of a layer.
        Assert.InRange(tensors.Length, 60, checkpoint.Tensors.Count - (4 * 8 * 3));
        Assert.Contains(tensors, tensor => tensor.GetProperty("name").GetString() == "lm_head.weight");
    }

    [Fact]
    public async Task OtherWeightsAreRefusedAndOtherShardsAreNot()
    {
        string folder = await Synth("bf16"), output = temporary.File("case");
        Assert.Equal(ExitCodes.WithinBudget, (await Tool("capture", folder, "--ids", Ids, "--out", output)).Code);
        string cut = await Synth("bf16", "--shard-size", "100KB");
        Assert.True(Directory.GetFiles(cut, "*.safetensors").Length > 5);
        Assert.Equal(ExitCodes.WithinBudget, (await Tool("verify", output, "--model", cut)).Code);
        string other = await Synth("bf16", "--seed", "2");
        AssertLine(await Tool("verify", output, "--model", other), ExitCodes.BadInput, "captured with other weights");
        File.WriteAllText(Path.Combine(output, "weights.json"), "{\"format\":\"ringflash-weights/1\",\"tensors\":[]}");
        AssertLine(await Tool("verify", output, "--model", folder), ExitCodes.BadInput, "$.tensors");
        File.Delete(Path.Combine(output, "weights.json"));
        AssertLine(await Tool("verify", output, "--model", folder), ExitCodes.Environment, "no such file");
        AssertLine(
            await Tool("verify", output, "--model", temporary.File("no")), ExitCodes.Environment, "no such folder");
    }

    [Fact]
    public async Task ChosenLayersAreKeptWithWhatGoesIntoThem()
    {
        string output = temporary.File("case");
        ToolRun run = await Tool(
            "capture", $"synthetic:{Tiny}@9", "--ids", Ids, "--layers", "0,2-3", "--out", output);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        using GoldenCase golden = GoldenCase.Open(output);
        string[] held = [.. golden.File.Tensors.Select(tensor => tensor.Name).Where(name =>
            name.EndsWith(".output", StringComparison.Ordinal) || name.EndsWith(".margin", StringComparison.Ordinal))];
        Assert.Equal(
            [
                "lm_head.output", "model.layers.0.output", "model.layers.1.output", "model.layers.2.mlp.gate.margin",
                "model.layers.2.output", "model.layers.3.mlp.gate.margin", "model.layers.3.output",
                "model.norm.output", "model.word_embeddings.output",
            ],
            held.Order(StringComparer.Ordinal));
        Assert.Equal(ExitCodes.WithinBudget, (await Tool("verify", output)).Code);
    }

    [Fact]
    public async Task BigLogitsAreKeptInShort()
    {
        string config = temporary.Write(
            "config.json", ConfigurationTestFiles.Edited(root => root["vocab_size"] = 600_000));
        string output = temporary.File("case");
        ToolRun run = await Tool("capture", $"synthetic:{config}@9", "--ids", Ids, "--out", output);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        using (GoldenCase golden = GoldenCase.Open(output))
        {
            Assert.Equal([1, 8, 4096], golden.File.RequireTensor("lm_head.logits_first4096").Shape);
            Assert.Equal([1, 8, 64], golden.File.RequireTensor("mtp.0.top64.ids").Shape);
            Assert.False(golden.Holds("lm_head.output"));
        }

        ToolRun verified = await Tool("verify", output);
        Assert.Equal(ExitCodes.WithinBudget, verified.Code);
        Assert.Contains("tensors not compared 0", verified.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--ids: 'x'", "--ids", "x")]
    [InlineData("--ids: '-1'", "--ids", "-1")]
    [InlineData("--ids: 512 is not in the vocabulary of 512", "--ids", "1,512")]
    [InlineData("--ids: '1,,2' has an empty word", "--ids", "1,,2")]
    [InlineData("--layers: there is no layer 5; the model has 0-4", "--ids", "1", "--layers", "5")]
    [InlineData("--layers: '3-1'", "--ids", "1", "--layers", "3-1")]
    [InlineData("--precision: 'fp16'", "--ids", "1", "--precision", "fp16")]
    [InlineData("'--ids' is required")]
    public async Task WrongUsageIsTwoAndWritesNothing(string rule, params string[] arguments)
    {
        AssertLine(
            await Tool(["capture", $"synthetic:{Tiny}", .. arguments, "--out", temporary.File("case")]),
            ExitCodes.WrongUsage,
            rule);
        Assert.Empty(Directory.GetFileSystemEntries(temporary.Path));
    }

    [Fact]
    public async Task BadModelsAndPlacesHaveTheirCodes()
    {
        string output = temporary.File("case");
        string[] rest = ["--ids", "1,2", "--out", output];
        AssertLine(
            await Tool(["capture", "synthetic:ring-giga", .. rest]), ExitCodes.WrongUsage, "neither a file nor");
        AssertLine(
            await Tool(["capture", "synthetic:ring-mini-2.0@x", .. rest]), ExitCodes.WrongUsage, "MODEL: 'x'");
        AssertLine(
            await Tool(["capture", temporary.File("no"), .. rest]), ExitCodes.Environment, "no such folder");
        string folder = await Synth("bf16");
        File.WriteAllBytes(
            Path.Combine(folder, "config.json"), ConfigurationTestFiles.Edited(root => root["num_hidden_layers"] = 7));
        AssertLine(await Tool(["capture", folder, .. rest]), ExitCodes.BadInput, "num_hidden_layers");
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "thesis.tex"), "years of work");
        AssertLine(
            await Tool(["capture", $"synthetic:{Tiny}", .. rest]), ExitCodes.Environment, "not empty");
        Assert.Single(Directory.GetFiles(output));
    }

    [Theory]
    [InlineData("bf16")]
    [InlineData("fp8")]
    public async Task AMemoryLimitChangesNoNumberAndNamesWhatItNeeds(string dtype)
    {
        string folder = await Synth(dtype), output = temporary.File("case"), limited = temporary.File("limited");
        string[] start = ["capture", folder, "--ids", Ids];
        Assert.Equal(ExitCodes.WithinBudget, (await Tool([.. start, "--out", output])).Code);
        ToolRun refused = await Tool([.. start, "--out", limited, "--memory-limit", "1MB"]);
        AssertLine(refused, ExitCodes.Environment, "1MB is too little, ");
        Assert.False(Directory.Exists(limited));
        string needed = Regex.Match(refused.Error, "([0-9]+MB) is needed").Groups[1].Value;
        ToolRun run = await Tool([.. start, "--out", limited, "--memory-limit", needed]);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.Equal(
            File.ReadAllText(Path.Combine(output, "weights.json")),
            File.ReadAllText(Path.Combine(limited, "weights.json")));
        using GoldenCase expected = GoldenCase.Open(output), actual = GoldenCase.Open(limited);
        Assert.True(expected.File.Tensors.Count > 20);
        foreach (TensorInfo tensor in expected.File.Tensors)
        {
            byte[] bytes = new byte[tensor.ElementCount * tensor.ElementType.ByteCount()], found = [.. bytes];
            expected.File.ReadBytes(tensor, 0, bytes);
            actual.File.ReadBytes(actual.File.RequireTensor(tensor.Name), 0, found);
            Assert.Equal(bytes, found);
        }

        string[] verify = ["verify", output, "--model", folder, "--memory-limit"];
        refused = await Tool([.. verify, "1MB"]);
        AssertLine(refused, ExitCodes.Environment, "1MB is too little, ");
        needed = Regex.Match(refused.Error, "([0-9]+MB) is needed").Groups[1].Value;
        Assert.Equal(ExitCodes.WithinBudget, (await Tool([.. verify, needed])).Code);
        AssertLine(await Tool([.. verify, "lots"]), ExitCodes.WrongUsage, "--memory-limit: 'lots' is not a size");
        AssertLine(
            await Tool([.. start, "--out", temporary.File("no"), "--memory-limit", "lots"]),
            ExitCodes.WrongUsage,
            "--memory-limit: 'lots' is not a size");
    }

    [Fact]
    public async Task CtrlCLeavesNothing()
    {
        using CancellationTokenSource stopped = new();
        stopped.Cancel();
        ToolRun run = await ToolRun.In(
            ToolRun.Surroundings((options, progress, cancellation) => Verifier.Run(options, progress, cancellation)),
            stopped.Token,
            "capture",
            $"synthetic:{Tiny}",
            "--ids",
            "1,2",
            "--out",
            temporary.File("case"));
        Assert.Equal(ExitCodes.Interrupted, run.Code);
        Assert.Empty(Directory.GetFileSystemEntries(temporary.Path));
    }

    private static void AssertLine(ToolRun run, int code, string rule)
    {
        Assert.Equal(code, run.Code);
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.Contains(rule, line, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    private static Task<ToolRun> Tool(params string[] arguments) =>
        ToolRun.With(options => Verifier.Run(options), arguments);

    private async Task<string> Synth(string dtype, params string[] more)
    {
        string folder = temporary.File($"model-{dtype}-{string.Concat(more)}");
        ToolRun run = await Tool(["synth", "--config", Tiny, "--dtype", dtype, "--out", folder, .. more]);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        return folder;
    }
}
