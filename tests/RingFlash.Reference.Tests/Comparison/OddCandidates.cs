// Red here means that compare passes what was not compared, or does not see what any person would see at a glance.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed class OddCandidates : IDisposable
{
    private const string Attended = "model.layers.1.attention.dense.output";

    private readonly SeededDump dump = SeededDump.Of(5, false, "boundaries", "none", 0);

    public void Dispose() => dump.Dispose();

    [Fact]
    public void WithoutChangesItAgrees() => Assert.Equal(0, dump.Compare().ExitCode);

    [Theory]
    [InlineData("all zero")]
    [InlineData("constant 0.5")]
    [InlineData("nothing but NaN and infinity")]
    [InlineData("1 values are NaN or infinite, the first at [1, 2, 5]")]
    [InlineData("the reference's values times -1")]
    [InlineData("the reference's values times 0.125")]
    [InlineData("the reference's values 1 token late")]
    [InlineData("the reference's values 1 token early")]
    [InlineData("the reference's values with tokens and channels transposed")]
    public void AreRecognised(string look)
    {
        ComparisonReport report = Compare(With(Attended, values => Distort(look, values)));
        Assert.Equal(ComparisonOutcome.Differs, report.Outcome);
        Assert.Equal(Attended, report.FirstFault!.Tap);
        Assert.Equal(look, report.FirstFault.Recognised);
        Assert.Contains(look, report.Headline, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', report.Headline);
    }

    [Fact]
    public void HalfADumpIsIncomplete()
    {
        Candidate half = Where((name, _) => !name.StartsWith("model.layers.2.", StringComparison.Ordinal));
        ComparisonReport report = Compare(half);
        Assert.Equal((ComparisonOutcome.Incomplete, 1), (report.Outcome, report.ExitCode));
        Assert.Contains("model.layers.2.output", report.Missing);
        Assert.StartsWith("INCOMPLETE: ", report.Headline, StringComparison.Ordinal);
        ComparisonReport allowed =
            CandidateComparer.Run(dump.Reference, half, new ComparisonOptions { AllowMissing = true });
        Assert.Equal(0, allowed.ExitCode);
        Assert.NotEmpty(allowed.Missing);
    }

    /// <summary>The reader puts aside what has other axes; the rest agreeing is no agreement.</summary>
    [Fact]
    public void ATapOfOtherAxesIsIncomplete()
    {
        Candidate rest = Where((name, _) => !name.EndsWith(".mlp.output", StringComparison.Ordinal));
        Candidate misfit = new()
        {
            Description = rest.Description,
            Taps = rest.Taps,
            Misfits = ["model.layers.0.mlp.output: [1, 23, 64] where [1, 24, 64] is declared"],
        };
        ComparisonReport report = Compare(misfit);
        Assert.Equal((ComparisonOutcome.Incomplete, 1), (report.Outcome, report.ExitCode));
        Assert.Contains("[1, 23, 64]", report.Headline, StringComparison.Ordinal);
        Assert.Equal(misfit.Misfits, report.Misfits);
    }

    [Fact]
    public void AKindThatIsNowhereWasNotDumpedAndTheVerdictSaysSo()
    {
        ComparisonReport report = Compare(Where((name, _) => name != "lm_head.output"));
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(["lm_head.output"], report.Unseen);
        Assert.Contains("no tap shows", report.Headline, StringComparison.Ordinal);
        Assert.Contains("the head", report.Headline, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("model.word_embeddings.output")]
    public void NothingOrOnlyEmbeddingsIsNeverAPass(string only)
    {
        ComparisonReport report =
            CandidateComparer.Run(
                dump.Reference, Where((name, _) => name == only), new ComparisonOptions { AllowMissing = true });
        Assert.Equal((ComparisonOutcome.NotChecked, 1), (report.Outcome, report.ExitCode));
        Assert.StartsWith("NOT CHECKED: ", report.Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void WeightsWithoutExpertsAreListed()
    {
        ComparisonReport report =
            Compare(Where((name, _) => !name.EndsWith(".topk_idx", StringComparison.Ordinal)));
        Assert.Equal(ComparisonOutcome.Agrees, report.Outcome);
        Assert.Contains(
            "model.layers.1.mlp.gate.topk_weight: weights say nothing without the experts of topk_idx",
            report.NotCompared);
    }

    [Fact]
    public void OtherTokenIdsStopEverything()
    {
        long[] ids = [.. dump.Reference.Input.Ids];
        ids[3]++;
        float[] values = [.. ids.Select(id => (float)id)];
        Candidate other = new()
        {
            Description = "memory",
            Taps = dump.Candidate.Taps,
            Inputs = new Dictionary<string, CandidateTap>
            {
                ["input_ids"] = new ArrayTap("input_ids", ElementType.Int64, [2, 12], values),
            },
        };
        ComparisonReport report = Compare(other);
        Assert.Equal((ComparisonOutcome.NotChecked, 1), (report.Outcome, report.ExitCode));
        Assert.Contains("token ids differ: token 3", report.Headline, StringComparison.Ordinal);
        Assert.Empty(report.Isolated);
    }

    [Fact]
    public void ATokenTooFewIsRefusedWithAHint()
    {
        CandidateTap tap = dump.Candidate.Taps[Attended];
        ArrayTap shorter = new(Attended, ElementType.Float32, [2, 11, tap.Shape[2]], new float[22 * tap.Shape[2]]);
        InvalidInputException error = Assert.Throws<InvalidInputException>(() => Compare(With(shorter)));
        Assert.Contains("the number of tokens is 1 too small", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFactorThatIsAppliedLaterIsNoFault()
    {
        Candidate later = Where((_, _) => true, (name, values) =>
            name.EndsWith(".topk_weight", StringComparison.Ordinal)
                ? [.. values.Select(value => value / 2.5f)]
                : values);
        ComparisonReport report = Compare(later);
        Assert.True(report.ExitCode == 0, report.Headline);
        Assert.Contains(report.Notes, note => note.Contains("applied later", StringComparison.Ordinal));

        using SeededDump missing = SeededDump.Of(5, false, "boundaries", "missing scaling factor", 1);
        FirstFault fault = missing.Compare().FirstFault!;
        Assert.Equal("model.layers.1.mlp.gate.topk_weight", fault.Tap);
        Assert.Equal("the reference's values times 0.4", fault.Recognised);
    }

    [Fact]
    public void AWrongChoiceIsARouterFault()
    {
        const string Choice = "model.layers.1.mlp.gate.topk_idx";
        Candidate wrong = With(Choice, values =>
        {
            HashSet<float> taken = [.. values[..4]];
            values[2] =
                Enumerable.Range(0, 16).Select(expert => (float)expert).First(expert => !taken.Contains(expert));
            return values;
        });
        ComparisonReport report = Compare(wrong);
        Assert.Equal(Choice, report.FirstFault!.Tap);
        Assert.Equal(["router and experts", "router"], report.FirstFault.Blocks); // the layer's output clears the sum
        Assert.Equal(("[0, 2]", 0), (report.FirstFault.Worst!.Index, report.FirstFault.Worst.Token));
        RouterFinding router = Assert.Single(report.Routers, finding => finding.Wrong > 0);
        Assert.Equal((1, 1, 24), (router.Layer, router.Wrong, router.Tokens));
    }

    [Fact]
    public void AnExpertThatDoesNotExistIsRefused()
    {
        Candidate wrong = With("model.layers.1.mlp.gate.topk_idx", values =>
        {
            values[7] = 4711;
            return values;
        });
        Assert.Contains(
            "4711 in row 1; an expert is one of 0 … 15",
            Assert.Throws<InvalidInputException>(() => Compare(wrong)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void LogitsOfTheLastTokenOnlyAreCompared()
    {
        CandidateTap all = dump.Candidate.Taps["lm_head.output"];
        float[] values = new float[all.ElementCount];
        all.ReadSingle(0, values);
        int width = (int)all.Shape[2];
        float[] last = [.. values[(11 * width)..(12 * width)], .. values[(23 * width)..]];
        ComparisonReport right = Compare(With(new ArrayTap("lm_head.output", ElementType.Float32, [1, 2, width], last)
        {
            Rows = [11, 23],
        }));
        Assert.Equal(0, right.ExitCode);
        Assert.Equal(2, right.Logits!.Positions);
        last[width + 5] += 1;
        ComparisonReport wrong = Compare(With(new ArrayTap("lm_head.output", ElementType.Float32, [1, 2, width], last)
        {
            Rows = [11, 23],
        }));
        Assert.Equal(("lm_head.output", 23), (wrong.FirstFault!.Tap, wrong.FirstFault.Worst!.Token));
        Assert.Equal(["head"], wrong.FirstFault.Blocks);
    }

    /// <summary>The map of the flow of data is that of the forward pass: same results, same order.</summary>
    [Fact]
    public void TheFlowOfDataIsThatOfTheModel()
    {
        NamesOnly names = new();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = new(
            dump.Reference.Configuration,
            new ModelWeights(dump.Reference.Weights, dump.Reference.Configuration, false),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        model.Forward(dump.Reference.Input, null, names);
        Assert.Equal(
            names.Seen.Where(name => name != "model.rotary_emb.cos" && name != "model.rotary_emb.sin"),
            dump.Reference.Flow.Nodes.Select(node => node.Name)
                .Where(name => !name.EndsWith(".residual", StringComparison.Ordinal)
                    && !name.Contains(".rotary_emb.", StringComparison.Ordinal)));
    }

    private static float[] Distort(string look, float[] values)
    {
        int width = values.Length / 24;
        float[] original = [.. values];
        switch (look)
        {
            case "all zero":
                Array.Clear(values);
                break;
            case "constant 0.5":
                Array.Fill(values, 0.5f);
                break;
            case "nothing but NaN and infinity":
                Array.Fill(values, float.NaN);
                break;
            case "1 values are NaN or infinite, the first at [1, 2, 5]":
                values[(14 * width) + 5] = float.PositiveInfinity;
                break;
            case "the reference's values times -1":
                return [.. values.Select(value => -value)];
            case "the reference's values times 0.125":
                return [.. values.Select(value => value / 8)];
            case "the reference's values 1 token late":
                original.AsSpan(0, 23 * width).CopyTo(values.AsSpan(width));
                break;
            case "the reference's values 1 token early":
                original.AsSpan(width).CopyTo(values);
                break;
            default:
                for (int index = 0; index < values.Length; index++)
                {
                    int sequence = index / (12 * width), rest = index % (12 * width);
                    values[index] = original[(sequence * 12 * width) + (rest % 12 * width) + (rest / 12)];
                }

                break;
        }

        return values;
    }

    private ComparisonReport Compare(Candidate candidate) =>
        CandidateComparer.Run(dump.Reference, candidate, new ComparisonOptions());

    private Candidate With(string tap, Func<float[], float[]> change) =>
        Where((_, _) => true, (name, values) => name == tap ? change(values) : values);

    private Candidate With(CandidateTap tap) => new()
    {
        Description = "memory",
        Taps = new Dictionary<string, CandidateTap>(dump.Candidate.Taps) { [tap.Name] = tap },
    };

    private Candidate Where(
        Func<string, CandidateTap, bool> keep, Func<string, float[], float[]>? change = null) => new()
        {
            Description = "memory",
            Taps = dump.Candidate.Taps.Where(tap => keep(tap.Key, tap.Value)).ToDictionary(
                tap => tap.Key,
                CandidateTap (tap) => (ArrayTap)tap.Value with
                {
                    Values = change is null
                        ? ((ArrayTap)tap.Value).Values
                        : change(tap.Key, [.. ((ArrayTap)tap.Value).Values]),
                }),
        };

    private sealed class NamesOnly : ForwardTrace<float>
    {
        public List<string> Seen { get; } = [];

        public override void Tap(string name, HostTensor<float> tensor) => Seen.Add(name);

        public override void TapDecision(string name, RouterDecision<float> decision) =>
            Seen.AddRange([$"{name}.topk_idx", $"{name}.topk_weight"]);
    }
}
