// Red here means that diagnose accuses a correct program.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Tests.Comparison;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

public sealed class InnocentCandidatesAreNotAccused
{
    private static readonly DiagnosisOptions Quick = new() { ExclusionTime = TimeSpan.FromSeconds(20) };

    [Theory]
    [InlineData("boundaries", false, "no mistake: the same bits")]
    [InlineData("layers", false, "no mistake: the same bits")]
    [InlineData("boundaries", true, "no mistake: bfloat16")]
    [InlineData("blocks", true, "no mistake: bfloat16")]
    public void A_model_without_a_mistake(string tapSet, bool isBFloat16, string headline)
    {
        using SeededDump dump = SeededDump.Of(6, isBFloat16, tapSet, "none", 0);
        DiagnosisReport report = Diagnoser.Run(dump.Reference, dump.Candidate, Quick);
        Assert.Equal(headline, report.Headline);
        Assert.Equal(0, report.ExitCode);
        Assert.Empty(report.Findings);
        Assert.True(report.Excluded.Count > 20, string.Join(", ", report.Excluded));

        // Biased scores of the chosen groups are positive here, and all scores far above 1e-20.
        Assert.Contains("router.mask-zero", report.NotShown);
        Assert.Contains(report.NotShown, name => name.StartsWith("router.sum-floor", StringComparison.Ordinal));
    }

    /// <summary>The published code's own values, as a program would dump them.</summary>
    [Theory]
    [InlineData("tiny-f32", "no mistake: other sum order")]
    [InlineData("tiny-bf16", "no mistake: bfloat16")]
    public void The_published_code(string golden, string headline)
    {
        using ComparisonReference reference = ComparisonReference.FromGolden(
            GoldenCase.Open(Path.Combine(RepositoryRoot.Golden, golden)));
        string[] kinds =
        [
            "word_embeddings.output", "attention.dense.output", "gate.topk_idx", "gate.topk_weight", "mlp.output",
            "norm.output", "lm_head.output",
        ];
        Dictionary<string, CandidateTap> taps = reference.Taps
            .Where(tap => reference.Flow.Find(tap.Key) is not null)
            .Where(tap => kinds.Any(kind => tap.Key.EndsWith(kind, StringComparison.Ordinal))
                || tap.Key == DataFlow.LayerOutput(reference.Flow.Find(tap.Key)!.Layer ?? -1))
            .ToDictionary(tap => tap.Key, tap => tap.Value);
        Candidate candidate = new() { Description = golden, Taps = taps };
        DiagnosisReport report = Diagnoser.Run(reference, candidate, Quick);
        Assert.Equal(headline, report.Headline);
        Assert.True(report.Excluded.Count > 20);
    }

    /// <summary>A shift of all positions turns queries and keys alike: attention sees no difference.</summary>
    [Fact]
    public void A_mistake_that_no_tap_can_show()
    {
        Mistake position = MistakeCatalogue.Find("rotary.position")!.Mistake;
        using MistakenDump dump = new(
            8, false, "boundaries", (position, position.Variants.Single(way => way.Value == "all one ahead")));
        DiagnosisReport report = dump.Diagnose(Quick);
        Assert.Equal(DiagnosisOutcome.NoMistake, report.Outcome);
        Assert.Contains("rotary.position:all one ahead", report.NotShown);
    }

    [Fact]
    public void Nothing_to_compare_is_no_acquittal()
    {
        using SeededDump dump = SeededDump.Of(6, false, "boundaries", "none", 0);
        Candidate embeddingsOnly = new()
        {
            Description = "embeddings",
            Taps = dump.Candidate.Taps.Where(tap => tap.Key == DataFlow.Embeddings)
                .ToDictionary(tap => tap.Key, tap => tap.Value),
        };
        DiagnosisReport report = Diagnoser.Run(dump.Reference, embeddingsOnly, Quick);
        Assert.Equal(DiagnosisOutcome.NotChecked, report.Outcome);
        Assert.Equal(1, report.ExitCode);
    }
}
