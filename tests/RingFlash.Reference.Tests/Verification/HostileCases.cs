// Red here: a golden case from a stranger ends `verify` with a stack trace, or with a pass that nothing stands behind.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>
/// Shipped cases with one or two tensors spoilt: every outcome must be a report or a refusal in one line.
/// </summary>
public sealed class HostileCases
{
    private static readonly string[] Cases =
        ["tiny-f32", "tiny-padded-f32", "tiny-bf16", "tiny-fp8-f32", "fp8-gemm", "yarn-tables", "tiny-decode-f32"];

    private static readonly ElementType[] Types =
    [
        ElementType.Float32, ElementType.Float64, ElementType.BFloat16, ElementType.Int64, ElementType.Int32,
        ElementType.Float8E4M3, ElementType.Boolean, ElementType.UInt8,
    ];

    public static TheoryData<string, int> Seeds
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach (string name in Cases)
            {
                for (int seed = 0; seed < 4; seed++)
                {
                    data.Add(name, seed);
                }
            }

            return data;
        }
    }

    /// <summary>Mutations by a fixed seed.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void EveryOutcomeIsAReportOrARefusal(string name, int seed)
    {
        Random random = new((seed * 1000) + name.Length);
        List<Stored> tensors = Read(name);
        for (int round = 0; round < 12; round++)
        {
            List<Stored> spoilt = [.. tensors];
            List<string> done = [];
            for (int count = random.Next(1, 3); count > 0; count--)
            {
                done.Add(Mutate(spoilt, random));
            }

            RunAndJudge(name, spoilt, string.Join("; ", done));
        }
    }

    public static TheoryData<string> CaseNames => [.. Cases];

    /// <summary>A case under the description of another kind, and with another case's configuration.</summary>
    [Theory]
    [MemberData(nameof(CaseNames))]
    public void EveryDescriptionIsJudgedOrRefused(string name)
    {
        List<Stored> tensors = Read(name);
        foreach (string kind in new[] { "model", "rope-tables", "fp8-gemm" })
        {
            foreach (bool usesCache in new[] { false, true })
            {
                foreach (string precision in new[] { "float32", "bfloat16" })
                {
                    void Change(string folder) => File.WriteAllText(
                        Path.Combine(folder, "case.json"),
                        $$$"""
                        {"format":"ringflash-golden/1","name":"odd","kind":"{{{kind}}}",
                         "precision":"{{{precision}}}","seed":"20251327",
                         "weights":{"kind":"synthetic+fp8-block","algorithm":"splitmix64-bf16/1"},
                         "inputs":{"use_cache":{{{(usesCache ? "true" : "false")}}},"mode":"eval"}}
                        """);
                    RunAndJudge(name, tensors, $"{kind}, {precision}, cache {usesCache}", Change);
                }
            }
        }

        foreach (string other in Cases.Where(other => other is not "fp8-gemm" and not "yarn-tables"))
        {
            RunAndJudge(name, tensors, $"configuration of {other}", folder => File.Copy(
                Path.Combine(RepositoryRoot.Golden, other, "config.json"),
                Path.Combine(folder, "config.json"),
                overwrite: true));
        }
    }

    /// <summary>Each small tensor of a case, every shape that a reader might trip over.</summary>
    [Theory]
    [InlineData("tiny-f32", "input_ids")]
    [InlineData("tiny-f32", "attention_mask")]
    [InlineData("tiny-f32", "position_ids")]
    [InlineData("tiny-f32", "labels")]
    [InlineData("tiny-f32", "loss")]
    [InlineData("tiny-f32", "lm_head.output")]
    [InlineData("tiny-f32", "model.layers.1.mlp.gate.topk_idx")]
    [InlineData("tiny-f32", "model.layers.1.mlp.gate.topk_weight")]
    [InlineData("tiny-f32", "model.layers.1.mlp.gate.margin")]
    [InlineData("tiny-f32", "model.layers.1.mlp.gate.scores")]
    [InlineData("tiny-f32", "model.layers.0.attention.weights")]
    [InlineData("fp8-gemm", "activation")]
    [InlineData("fp8-gemm", "activation.scale")]
    [InlineData("fp8-gemm", "weight")]
    [InlineData("fp8-gemm", "weight.quantized")]
    [InlineData("fp8-gemm", "weight.scale_inv")]
    [InlineData("fp8-gemm", "output.float64")]
    [InlineData("fp8-gemm", "e4m3.encode.input")]
    [InlineData("yarn-tables", "positions")]
    [InlineData("yarn-tables", "yarn.attention_scaling")]
    [InlineData("yarn-tables", "yarn.inv_freq")]
    [InlineData("tiny-decode-f32", "input_ids")]
    [InlineData("tiny-decode-f32", "nextn0.generated_ids")]
    [InlineData("tiny-decode-f32", "nextn1.sequence")]
    [InlineData("tiny-decode-f32", "nextn0.top1_top2_gap")]
    [InlineData("tiny-decode-f32", "nextn1.cache.layers.4.key")]
    [InlineData("tiny-decode-f32", "nextn0.prefill.logits")]
    public void EveryShapeOfATensorIsJudgedOrRefused(string name, string tensor)
    {
        List<Stored> tensors = Read(name);
        int index = tensors.FindIndex(stored => stored.Info.Name == tensor);
        Stored original = tensors[index];
        long elements = original.Info.ElementCount;
        long[][] shapes =
        [
            [], [0], [elements], [1, elements], [elements, 1], [0, 5_000_000_000], [2], [1, 1], [elements + 3],
            [1, 2, 1],
        ];
        foreach (long[] shape in shapes)
        {
            List<Stored> spoilt = [.. tensors];
            spoilt[index] = original.WithShape(shape);
            RunAndJudge(name, spoilt, $"{tensor} as {TensorInfo.FormatShape(shape)}");
        }
    }

    [Theory]
    [InlineData("tiny-f32", "labels", 512)]
    [InlineData("tiny-f32", "labels", -1)]
    [InlineData("tiny-f32", "attention_mask", 2)]
    [InlineData("tiny-f32", "attention_mask", -1)]
    [InlineData("tiny-f32", "model.layers.2.mlp.gate.topk_idx", 16)]
    [InlineData("tiny-f32", "model.layers.2.mlp.gate.topk_idx", -1)]
    [InlineData("tiny-f32", "model.layers.2.mlp.gate.topk_idx", 1L << 32)]
    [InlineData("tiny-decode-f32", "nextn1.generated_ids", 512)]
    [InlineData("tiny-decode-f32", "nextn0.generated_ids", -1)]
    public void ValuesOutOfRangeAreRefusedByName(string name, string tensor, long value)
    {
        List<Stored> tensors = Read(name);
        int index = tensors.FindIndex(stored => stored.Info.Name == tensor);
        tensors[index] = tensors[index].WithInteger(3, value);
        InvalidInputException error = Assert.Throws<InvalidInputException>(() => Run(name, tensors));
        Assert.Contains(tensor, error.Message, StringComparison.Ordinal);
        Assert.Contains(value.ToString(CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// Far or negative positions are odd but have a rotation; the tables then differ from the reference's.
    /// </summary>
    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    [InlineData(-1)]
    public void AnyPositionIsJudged(long position)
    {
        List<Stored> tensors = Read("tiny-f32");
        int index = tensors.FindIndex(stored => stored.Info.Name == "position_ids");
        tensors[index] = tensors[index].WithInteger(3, position);
        VerifyReport report = Run("tiny-f32", tensors);
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("RotaryTable is over budget", report.Headline, StringComparison.Ordinal);
    }

    /// <summary>
    /// A changed value of any compared tensor must be seen in both modes: no comparison may be of a thing with itself.
    /// </summary>
    [Theory]
    [InlineData("tiny-decode-f32", "nextn0.sequence", 2)]
    [InlineData("tiny-decode-f32", "nextn0.sequence", 20)]
    [InlineData("tiny-decode-f32", "nextn1.nocache.generated_ids", 31)]
    [InlineData("tiny-decode-f32", "nextn0.generated_ids", 31)]
    public void ChangedIdIsFound(string name, string tensor, int element)
    {
        List<Stored> tensors = Read(name);
        int index = tensors.FindIndex(stored => stored.Info.Name == tensor);
        tensors[index] = tensors[index].WithInteger(element, 7);
        VerifyReport report = Run(name, tensors);
        Assert.All(report.Cases, run => Assert.Equal(Verdict.Failed, Verdicts(run)[tensor]));
    }

    [Theory]
    [InlineData("nextn0.cache.layers.0.key", 0)]
    [InlineData("nextn0.cache.layers.3.value", 700)]
    [InlineData("nextn1.cache.layers.4.key", 1279)]
    [InlineData("nextn1.top1_top2_gap", 30)]
    [InlineData("nextn1.mtp.0.step_logits", 16000)]
    public void ChangedValueOfADecodeCaseIsFound(string tensor, int element)
    {
        List<Stored> tensors = Read("tiny-decode-f32");
        int index = tensors.FindIndex(stored => stored.Info.Name == tensor);
        tensors[index] = tensors[index].WithSingle(element, value => value + 0.01f);
        VerifyReport report = Run("tiny-decode-f32", tensors);
        Assert.Equal(2, report.Failed);
        Assert.All(report.Cases, run => Assert.Equal(Verdict.Failed, Verdicts(run)[tensor]));
    }

    private static Dictionary<string, Verdict> Verdicts(CaseResult run) =>
        run.Taps.ToDictionary(tap => tap.Tap, tap => tap.Verdict);

    private static string Mutate(List<Stored> tensors, Random random)
    {
        // Inputs and decisions are few among hundreds of taps: half of the mutations are theirs.
        int[] inputs = [.. Enumerable.Range(0, tensors.Count).Where(place =>
            tensors[place].Info.ElementType == ElementType.Int64
            || tensors[place].Info.Name.StartsWith("weight", StringComparison.Ordinal)
            || !tensors[place].Info.Name.Contains("layers", StringComparison.Ordinal))];
        int index = random.Next(2) == 0 ? inputs[random.Next(inputs.Length)] : random.Next(tensors.Count);
        Stored stored = tensors[index];
        string name = stored.Info.Name;
        switch (random.Next(6))
        {
            case 0:
                tensors.RemoveAt(index);
                return $"{name} removed";
            case 1:
                string other = tensors[random.Next(tensors.Count)].Info.Name + ".renamed";
                tensors[index] = stored with { Info = stored.Info with { Name = other } };
                return $"{name} renamed to {other}";
            case 2:
                ElementType type = Types[random.Next(Types.Length)];
                byte[] bytes = new byte[stored.Info.ElementCount * type.ByteCount()];
                random.NextBytes(bytes);
                tensors[index] = new Stored(stored.Info with { ElementType = type }, bytes);
                return $"{name} as {type}";
            case 3:
                long[] shape = [.. Enumerable.Range(0, random.Next(0, 5)).Select(_ => (long)random.Next(0, 7))];
                tensors[index] = stored.WithShape(shape);
                return $"{name} as {TensorInfo.FormatShape(shape)}";
            case 4:
                long[] reversed = [.. stored.Info.Shape.Reverse()];
                tensors[index] = stored.WithShape(reversed);
                return $"{name} as {TensorInfo.FormatShape(reversed)}";
            default:
                byte[] noise = [.. stored.Bytes];
                random.NextBytes(noise.AsSpan(0, Math.Min(noise.Length, 16)));
                tensors[index] = stored with { Bytes = noise };
                return $"{name} begins with noise";
        }
    }

    private static void RunAndJudge(string name, List<Stored> tensors, string what, Action<string>? change = null)
    {
        try
        {
            VerifyReport report = Run(name, tensors, change);
            Assert.All(report.Cases, run => Assert.True(
                run.Verdict != Verdict.Passed || run.Compared > 0, $"{name}: {what}: passed without comparing"));
        }
        catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
        {
            Assert.DoesNotContain('\n', exception.Message);
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{name}: {what}: {exception}");
        }
    }

    private static VerifyReport Run(string name, List<Stored> tensors, Action<string>? change = null)
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, name), source = Path.Combine(RepositoryRoot.Golden, name);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(source, "*.json"))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        change?.Invoke(folder);
        SafetensorsWriter.Write(
            Path.Combine(folder, "golden.safetensors"),
            [.. tensors.DistinctBy(stored => stored.Info.Name)
                .Select(stored => SafetensorsContent.FromBytes(stored.Info, stored.Bytes))]);
        return Verifier.Run(new VerifyOptions { Paths = [folder], ThreadCount = 1 });
    }

    private static List<Stored> Read(string name)
    {
        using SafetensorsFile file =
            SafetensorsFile.Open(Path.Combine(RepositoryRoot.Golden, name, "golden.safetensors"));
        return [.. file.Tensors.Select(tensor =>
        {
            byte[] bytes = new byte[tensor.ElementCount * tensor.ElementType.ByteCount()];
            file.ReadBytes(tensor, 0, bytes);
            return new Stored(tensor, bytes);
        })];
    }

    private sealed record Stored(TensorInfo Info, byte[] Bytes)
    {
        /// <summary>The same bytes under another shape, cut or filled up with zeros.</summary>
        public Stored WithShape(long[] shape)
        {
            TensorInfo info = Info with { Shape = shape };
            byte[] bytes = new byte[info.ElementCount * info.ElementType.ByteCount()];
            Bytes.AsSpan(0, Math.Min(bytes.Length, Bytes.Length)).CopyTo(bytes);
            return new Stored(info, bytes);
        }

        public Stored WithInteger(int element, long value)
        {
            byte[] bytes = [.. Bytes];
            BitConverter.TryWriteBytes(bytes.AsSpan(8 * element), value);
            return this with { Bytes = bytes };
        }

        public Stored WithSingle(int element, Func<float, float> change)
        {
            byte[] bytes = [.. Bytes];
            BitConverter.TryWriteBytes(bytes.AsSpan(4 * element), change(BitConverter.ToSingle(bytes, 4 * element)));
            return this with { Bytes = bytes };
        }
    }
}
