// Red here means that verify says "passed" about something it did not compare, or lets a damaged golden through.
using System;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Verification;

public sealed class VerifierTests
{
    private static readonly string[] TinyCases =
    [
        "tiny-f32", "tiny-padded-f32", "tiny-yarn-f32", "tiny-decode-f32", "tiny-bf16", "tiny-fp8-f32", "fp8-gemm",
        "yarn-tables",
    ];

    public static TheoryData<string> Tiny => [.. TinyCases];

    [Theory]
    [MemberData(nameof(Tiny))]
    public void TinyCasePassesOnBothEngines(string name)
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, name)],
            Engines = [ExecutionEngine.Scalar, ExecutionEngine.Vector512],
        });
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(0, report.NotChecked);
        Assert.StartsWith("PASSED", report.Headline, StringComparison.Ordinal);
        foreach (CaseResult run in report.Cases)
        {
            Assert.Empty(run.NotCompared);
            Assert.True(run.Compared > 1000, $"{run.Compared} values compared");
        }
    }

    [Theory]
    [MemberData(nameof(Tiny))]
    public void TinyCasePassesOnIlgpusCpuAccelerator(string name)
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, name)],
            Engines = [ExecutionEngine.IlgpuCpu],
        });
        Assert.True(report.ExitCode == 0, $"{report.Headline}; {report.Cases.Select(run => run.FirstFailure).Max()}");
        Assert.All(report.Cases, run => Assert.Empty(run.NotCompared));
    }

    /// <summary>The real dimensions: layers of Ring-flash-2.0 on both engines.</summary>
    [Fact]
    public void FlashLayersPassOnBothEngines()
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, "flash-layers-f32")],
            Engines = [ExecutionEngine.Scalar, ExecutionEngine.Vector512],
        });
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(4, report.Passed);
        Assert.All(report.Cases, run => Assert.Empty(run.NotCompared));
    }

    /// <summary>The whole models, free-running; 100 B parameters in a few seconds and well under 8 GB.</summary>
    [Theory]
    [InlineData("mini-full-f32")]
    [InlineData("flash-full-f32")]
    public void FullModelPasses(string name)
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, name)],
            Modes = [VerifyMode.Free],
        });
        Assert.Equal(0, report.ExitCode);
        Assert.Empty(report.Cases.Single().NotCompared);
        Assert.True(report.PeakMemoryBytes < 8L << 30, $"{report.PeakMemoryBytes} bytes");
    }

    [Fact]
    public void EarlyBFloat16LayersAreEqualToTheBit()
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, "tiny-bf16")],
            Modes = [VerifyMode.Free],
        });
        TapResult[] early = [.. report.Cases.Single().Taps.Where(tap =>
            tap.Tap.StartsWith("model.layers.0.", StringComparison.Ordinal)
            || (tap.Tap.StartsWith("model.layers.1.", StringComparison.Ordinal)
                && !tap.Tap.Contains(".gate.", StringComparison.Ordinal)))];
        Assert.Equal(26, early.Length);
        Assert.All(early, tap => Assert.Equal(0, tap.MaxAbsolute));
    }

    [Fact]
    public void GradientsAreNotCheckedAndSaySo()
    {
        VerifyReport report =
            Verifier.Run(new VerifyOptions { Paths = [Path.Combine(RepositoryRoot.Golden, "tiny-grad-f32")] });
        Assert.Equal(1, report.NotChecked);
        Assert.Equal(0, report.Passed);
        Assert.Equal(1, report.ExitCode);
        Assert.StartsWith("NOT CHECKED", report.Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownKindIsNotCheckedNeverPassed()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        string path = Path.Combine(folder, "case.json");
        Replace(path, "\"kind\": \"model\"", "\"kind\": \"novel\"");
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder] });
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("novel", report.Cases.Single().NotCheckedReason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"kind\": \"synthetic\"", "\"kind\": \"stored\"", "stored")]
    [InlineData("splitmix64-bf16/1", "splitmix64-bf16/2", "splitmix64-bf16/2")]
    public void WeightsOfAnUnknownKindAreNotChecked(string old, string changed, string named)
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        Replace(Path.Combine(folder, "case.json"), old, changed);
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder] });
        Assert.Equal(1, report.ExitCode);
        Assert.Equal(0, report.Failed);
        Assert.All(report.Cases, run => Assert.Contains(named, run.NotCheckedReason, StringComparison.Ordinal));
    }

    /// <summary>
    /// The MTP logits of a bfloat16 case are bfloat16 numbers stored as float32: one step is within the budget of their
    /// one rounding, four are not.
    /// </summary>
    [Theory]
    [InlineData(1, Verdict.Passed)]
    [InlineData(4, Verdict.Failed)]
    public void BFloat16LogitsInFloat32AreHeldToBFloat16Steps(int steps, Verdict verdict)
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-bf16");
        Damage(
            Path.Combine(folder, "golden.safetensors"),
            "mtp.0.logits",
            300,
            value => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) + (steps << 16)));
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [VerifyMode.Isolated] });
        Assert.Equal(verdict, report.Cases.Single().Taps.Single(tap => tap.Tap == "mtp.0.logits").Verdict);
    }

    /// <summary>Both variants of a decode case read the same file; weights stored in it must not close it.</summary>
    [Fact]
    public void DecodeCaseWithStoredWeightsPasses()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-decode-f32");
        Replace(Path.Combine(folder, "case.json"), "\"kind\": \"synthetic\"", "\"kind\": \"synthetic+fp8-block\"");
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder] });
        Assert.Equal(2, report.Passed);
    }

    [Fact]
    public void FilterThatMatchesNothingIsNotAPass()
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, "tiny-f32")],
            Filter = "no such tap",
        });
        Assert.Equal(1, report.ExitCode);
        Assert.Equal("NOT CHECKED: nothing was compared", report.Headline);
    }

    [Fact]
    public void FilterSelectsTaps()
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [Path.Combine(RepositoryRoot.Golden, "tiny-f32")],
            Filter = "layers.2.attention",
            Modes = [VerifyMode.Isolated],
        });
        CaseResult run = report.Cases.Single();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(8, run.Taps.Count);
        Assert.All(run.Taps, tap => Assert.Contains("layers.2.attention", tap.Tap, StringComparison.Ordinal));
        Assert.Empty(run.NotCompared);
    }

    [Fact]
    public void TensorNobodyKnowsIsListedByName()
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "extra");
        OracleCase.Write(
            folder,
            OracleCase.Configuration(),
            weights: SafetensorsContent.FromSingle("model.layers.0.novel.output", [2], new float[] { 1, 2 }));
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder] });
        Assert.All(report.Cases, run => Assert.Equal(["model.layers.0.novel.output"], run.NotCompared));
    }

    /// <summary>
    /// Row 25 of the bad inputs: such a weight is accepted, named with its count, and a verdict is produced.
    /// </summary>
    [Fact]
    public void NonFiniteWeightIsWarnedOfAndStillJudged()
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "nan-weight");
        float[] weight = [.. Enumerable.Repeat(1f, 48)];
        (weight[5], weight[6]) = (float.NaN, float.PositiveInfinity);
        OracleCase.Write(
            folder,
            OracleCase.Configuration(),
            weights: SafetensorsContent.FromSingle("weights.model.norm.weight", [48], weight));
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [VerifyMode.Free] });
        Assert.Equal(0, report.ExitCode);
        Assert.Contains(
            report.Cases.Single().Notes,
            note => note.StartsWith("warning: weights.model.norm.weight holds 2 ", StringComparison.Ordinal));
    }

    /// <summary>One damaged element among three thousand, by a hundredth of the tap's largest value.</summary>
    [Theory]
    [InlineData("model.layers.2.attention.dense.output", "LinearProjection")]
    [InlineData("model.layers.1.input_layernorm.output", "RmsNorm")]
    [InlineData("lm_head.output", "LinearProjection")]
    [InlineData("model.layers.3.mlp.gate.topk_weight", "GroupLimitedTopK")]
    public void OneWrongElementIsFound(string tap, string culprit)
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        Damage(Path.Combine(folder, "golden.safetensors"), tap, 17, value => value + 0.01f);
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder] });
        Assert.Equal(1, report.ExitCode);
        Assert.Contains($"{culprit} is over budget", report.Headline, StringComparison.Ordinal);
        Assert.Contains(tap, report.Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void NotANumberInTheReferenceMustBeOneInOurs()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        Damage(Path.Combine(folder, "golden.safetensors"), "model.norm.output", 5, _ => float.NaN);
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [VerifyMode.Free] });
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("NaN", report.Headline, StringComparison.Ordinal);
    }

    /// <summary>
    /// A different expert with a wide margin is an error; the same with a margin below the noise is a near tie.
    /// </summary>
    [Theory]
    [InlineData(0.1f, 1)]
    [InlineData(1e-9f, 0)]
    public void MarginDecidesBetweenErrorAndNearTie(float margin, int exitCode)
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        string path = Path.Combine(folder, "golden.safetensors");
        Damage(path, "model.layers.2.mlp.gate.margin", 40, _ => margin);
        DamageInteger(path, "model.layers.2.mlp.gate.topk_idx", 40 * 4, expert => (expert + 1) % 16);
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [VerifyMode.Free] });
        CaseResult run = report.Cases.Single();
        RoutingResult router = run.Routing.Single(result => result.Gate == "model.layers.2.mlp.gate");
        Assert.Equal(exitCode, report.ExitCode);
        Assert.Equal(1 - exitCode, router.NearTies);
        Assert.Equal(exitCode, router.Wrong);
        Assert.Equal(47, router.SameExperts);

        // What follows the near tie in its own sequence is left out and counted, the other sequence is compared.
        TapResult later = run.Taps.Single(tap => tap.Tap == "model.layers.3.output");
        Assert.Equal(8 * 64, later.BehindNearTie);
        Assert.Equal(40 * 64, later.Compared);
    }

    /// <summary>Isolated, the reference's choice replaces ours: nothing is left out behind a near tie.</summary>
    [Fact]
    public void IsolatedComparesBehindANearTie()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        string path = Path.Combine(folder, "golden.safetensors");
        Damage(path, "model.layers.2.mlp.gate.margin", 40, _ => 1e-9f);
        DamageInteger(path, "model.layers.2.mlp.gate.topk_idx", 40 * 4, expert => (expert + 1) % 16);
        VerifyReport report = Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [VerifyMode.Isolated] });
        CaseResult run = report.Cases.Single();
        Assert.Equal(1, run.Routing.Single(result => result.Gate == "model.layers.2.mlp.gate").NearTies);
        TapResult later = run.Taps.Single(tap => tap.Tap == "model.layers.3.output");
        Assert.Equal(0, later.BehindNearTie);
        Assert.Equal(48 * 64, later.Compared);
        Assert.Equal(Verdict.Passed, later.Verdict);

        // The experts of that token were exchanged in the case only: its routed output is not that of its experts.
        TapResult routed = run.Taps.Single(tap => tap.Tap == "model.layers.2.mlp.routed.output");
        Assert.Equal(Verdict.Failed, routed.Verdict);
        Assert.Equal(40, routed.Worst!.Token);
    }

    /// <summary>Padding that sees no key of its own attends to every key, so a near tie reaches it too.</summary>
    [Fact]
    public void NearTieReachesTheLeftPadding()
    {
        long[] mask = [0, 0, 1, 1, 1, 1, 1, 1];
        NearTies ties = new(2, 4, mask);
        ties.Add(3);
        ties.EnterLayer();
        Assert.Equal(
            [true, true, false, true, false, false, false, false], Enumerable.Range(0, 8).Select(ties.IsBehind));
    }

    /// <summary>What is not a number is never a near tie, and neither is anything beside it.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void LogitsThatAreNotFiniteAllowNoSwap(float value)
    {
        Assert.Equal(0, ErrorBudget.Swap(10, [1f, value, 2f], underBFloat16: false));
        Assert.Equal(0, ErrorBudget.Swap(10, [1f, value, 2f], underBFloat16: true));
        Assert.True(ErrorBudget.Swap(10, [1f, 2f], underBFloat16: false) > 0);
    }

    [Fact]
    public void EditedGoldenIsRefusedByTheManifest()
    {
        using TemporaryFolder temporary = new();
        File.Copy(
            Path.Combine(RepositoryRoot.Golden, GoldenManifest.FileName),
            Path.Combine(temporary.Path, GoldenManifest.FileName));
        string folder = Copy(temporary, "tiny-f32");
        Assert.True(GoldenManifest.Check(folder));
        Damage(Path.Combine(folder, "golden.safetensors"), "loss", 0, value => value + 1);
        InvalidInputException error = Assert.Throws<InvalidInputException>(
            () => Verifier.Run(new VerifyOptions { Paths = [folder] }));
        Assert.Contains("golden.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains("SHA-256", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ShippedGoldensMatchTheManifest()
    {
        string[] folders = [.. GoldenCase.Find(RepositoryRoot.Golden)];
        Assert.Equal(12, folders.Length);
        Assert.All(folders, folder => Assert.True(GoldenManifest.Check(folder)));
    }

    [Fact]
    public void NewerFormatIsRefused()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        string path = Path.Combine(folder, "case.json");
        Replace(path, "ringflash-golden/1", "ringflash-golden/2");
        InvalidInputException error = Assert.Throws<InvalidInputException>(
            () => Verifier.Run(new VerifyOptions { Paths = [folder] }));
        Assert.Contains("$.format", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FolderWithoutCasesIsAnEnvironmentError()
    {
        using TemporaryFolder temporary = new();
        Assert.Throws<EnvironmentException>(() => Verifier.Run(new VerifyOptions { Paths = [temporary.Path] }));
        Assert.Throws<EnvironmentException>(
            () => Verifier.Run(new VerifyOptions { Paths = [Path.Combine(temporary.Path, "nowhere")] }));
    }

    [Fact]
    public void TokenOutsideTheVocabularyIsRefusedBeforeAnythingRuns()
    {
        using TemporaryFolder temporary = new();
        string folder = Copy(temporary, "tiny-f32");
        DamageInteger(Path.Combine(folder, "golden.safetensors"), "input_ids", 3, _ => 512);
        InvalidInputException error = Assert.Throws<InvalidInputException>(
            () => Verifier.Run(new VerifyOptions { Paths = [folder] }));
        Assert.Contains("512", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ProgressNamesEveryLayer()
    {
        Recorder progress = new();
        Verifier.Run(
            new VerifyOptions { Paths = [Path.Combine(RepositoryRoot.Golden, "tiny-f32")], Modes = [VerifyMode.Free] },
            progress);
        Assert.Equal(5, progress.Steps.Count(step => step.StartsWith("layer ", StringComparison.Ordinal)));
    }

    private static void Replace(string path, string old, string text)
    {
        string before = File.ReadAllText(path);
        Assert.Contains(old, before, StringComparison.Ordinal);
        File.WriteAllText(path, before.Replace(old, text, StringComparison.Ordinal));
    }

    private static string Copy(TemporaryFolder temporary, string name)
    {
        string folder = Path.Combine(temporary.Path, name);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Path.Combine(RepositoryRoot.Golden, name)))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        return folder;
    }

    private static void Damage(string path, string tensor, int element, Func<float, float> change)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int offset = DataOffset(bytes, tensor) + (4 * element);
        float value = BitConverter.ToSingle(bytes, offset);
        BitConverter.TryWriteBytes(bytes.AsSpan(offset), change(value));
        File.WriteAllBytes(path, bytes);
    }

    private static void DamageInteger(string path, string tensor, int element, Func<long, long> change)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int offset = DataOffset(bytes, tensor) + (8 * element);
        BitConverter.TryWriteBytes(bytes.AsSpan(offset), change(BitConverter.ToInt64(bytes, offset)));
        File.WriteAllBytes(path, bytes);
    }

    private static int DataOffset(byte[] bytes, string tensor)
    {
        int headerLength = (int)BitConverter.ToUInt64(bytes, 0);
        using System.Text.Json.JsonDocument header =
            System.Text.Json.JsonDocument.Parse(bytes.AsMemory(8, headerLength));
        return 8 + headerLength + header.RootElement.GetProperty(tensor).GetProperty("data_offsets")[0].GetInt32();
    }

    private sealed class Recorder : IProgress<VerifyProgress>
    {
        public System.Collections.Generic.List<string> Steps { get; } = [];

        public void Report(VerifyProgress value) => Steps.Add(value.Step);
    }
}
