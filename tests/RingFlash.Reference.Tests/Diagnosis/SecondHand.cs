// Red here means that a mistake of the catalogue is not the mistake that its name says: the same mistake, written a
// second time by somebody else, is not recognised.
using System;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Tests.Comparison;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

/// <summary>Candidates whose mistakes are written as plain loops, without the catalogue.</summary>
public sealed class SecondHand
{
    private static readonly DiagnosisOptions Quick = new()
    {
        PairTime = TimeSpan.Zero, ExclusionTime = TimeSpan.Zero,
    };

    public static TheoryData<string, string> Mistakes => new()
    {
        { "interleaved rotary pairs", "rotary.interleaved" },
        { "rotary over the whole head", "rotary.whole-head" },
        { "query and key norm skipped", "norm.qk-missing" },
        { "query and key layer norm", "norm.qk-layernorm" },
        { "norm weight left out", "norm.weight-missing" },
        { "norm epsilon 1e-5", "norm.epsilon" },
        { "query, key, value split by groups", "layout.qkv-megatron" },
        { "key/value heads tiled", "attention.heads-tiled" },
        { "softmax scale folded twice", "attention.scale" },
        { "expert bias in the weights", "router.bias-in-weights" },
        { "missing scaling factor", "router.factor" },
        { "groups left out", "router.groups-missing" },
        { "softmax for sigmoid", "router.softmax" },
        { "router logits rounded to bfloat16", "router.bfloat16" },
        { "gate and up swapped", "experts.gate-up-swapped" },
        { "experts off by one", "experts.wrong-expert" },
        { "expert weights not applied", "experts.weights-missing" },
        { "shared expert dropped", "experts.shared-missing" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Is_recognised_and_placed(string mistake, string id)
    {
        foreach ((ulong seed, int layer) in new[] { (3UL, 0), (4UL, 1), (7UL, 2) })
        {
            using SeededDump dump = SeededDump.Of(seed, false, "boundaries", mistake, layer);
            DiagnosisReport report = Diagnoser.Run(dump.Reference, dump.Candidate, Quick);
            Assert.True(report.Findings.Count > 0, $"{mistake}, seed {seed}: {report.Headline}");
            DiagnosisFinding finding = Assert.Single(report.Findings);
            NamedMistake[] named = [.. finding.Mistakes, .. finding.NotToldApart.SelectMany(ways => ways)];
            Assert.Contains(id, named.Select(way => way.Mistake.Id));
            bool isSparse = id.StartsWith("router", StringComparison.Ordinal)
                || id is "experts.wrong-expert" or "experts.weights-missing" or "experts.shared-missing"
                    or "experts.gate-up-swapped";
            int first = isSparse ? Math.Max(layer, 1) : layer;
            Assert.StartsWith(
                first == 2 ? "layer 2" : $"layers {first}–2", finding.Where, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("one element of the context wrong")]
    public void What_is_in_no_catalogue_is_not_named(string mistake)
    {
        using SeededDump dump = SeededDump.Of(5, false, "boundaries", mistake, 1);
        DiagnosisReport report = Diagnoser.Run(dump.Reference, dump.Candidate, Quick);
        Assert.Equal(DiagnosisOutcome.NotExplained, report.Outcome);
        Assert.Empty(report.Findings);
        Assert.Equal("model.layers.1.attention.dense.output", report.NotExplained[0]);
    }
}
