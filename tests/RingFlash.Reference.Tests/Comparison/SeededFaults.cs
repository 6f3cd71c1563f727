// Red here means that compare calls a broken port right, accuses an innocent one, or blames the wrong place.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed class SeededFaults
{
    private static readonly (string Mistake, string Block, string Operator)[] Mistakes =
    [
        ("interleaved rotary pairs", "attention", "RotaryEmbedding"),
        ("rotary over the whole head", "attention", "RotaryEmbedding"),
        ("query and key norm skipped", "attention", "RmsNorm"),
        ("query and key layer norm", "attention", "RmsNorm"),
        ("norm weight left out", "attention", "RmsNorm"),
        ("norm epsilon 1e-5", "attention", "RmsNorm"),
        ("query, key, value split by groups", "attention", "QueryKeyValueSplit"),
        ("key/value heads tiled", "attention", "CausalAttention"),
        ("softmax scale folded twice", "attention", "CausalAttention"),
        ("one element of the context wrong", "attention", "CausalAttention"),
        ("expert bias in the weights", "router", "GroupLimitedTopK"),
        ("missing scaling factor", "router", "GroupLimitedTopK"),
        ("groups left out", "router", "GroupLimitedTopK"),
        ("softmax for sigmoid", "router", "RouterScores"),
        ("router logits rounded to bfloat16", "router", "RouterLogits"),
        ("gate and up swapped", "experts", "RoutedExperts"),
        ("experts off by one", "experts", "RoutedExperts"),
        ("expert weights not applied", "experts", "ExpertCombine"),
        ("shared expert dropped", "experts", "ResidualAdd"),
    ];

    [Fact]
    public void Survey()
    {
        List<string> lines = [];
        foreach (bool isBFloat16 in new[] { false, true })
        {
            foreach (string set in SeededDump.TapSets.Keys)
            {
                int found = 0, right = 0, total = 0;
                double innocent = 0;
                for (ulong seed = 1; seed <= 4; seed++)
                {
                    using (SeededDump dump = SeededDump.Of(seed, isBFloat16, set, "none", 0))
                    {
                        ComparisonReport report = dump.Compare();
                        innocent = Math.Max(innocent, report.Isolated.Max(finding => finding.OverBudget));
                        if (report.Outcome != ComparisonOutcome.Agrees)
                        {
                            lines.Add($"FALSE ALARM {isBFloat16} {set} {seed}: {report.Headline}");
                        }
                    }

                    foreach ((string mistake, string block, string culprit) in Mistakes)
                    {
                        int layer = block == "attention" ? (int)(seed % 3) : 1 + (int)(seed % 2);
                        using SeededDump dump = SeededDump.Of(seed, isBFloat16, set, mistake, layer);
                        ComparisonReport report = dump.Compare();
                        total++;
                        FirstFault? fault = report.FirstFault;
                        found += fault is null ? 0 : 1;
                        bool fits = fault is not null
                            && (fault.Layer == layer || set == "logits")
                            && fault.Operators.Contains(culprit)
                            && fault.Blocks.Contains(block);
                        right += fits ? 1 : 0;
                        if (!fits)
                        {
                            lines.Add($"{(isBFloat16 ? "bf16" : "f32")} {set} {seed} {mistake} @ {layer}: "
                                + report.Headline);
                        }
                    }
                }

                lines.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"== {(isBFloat16 ? "bf16" : "f32")} {set}: {total} dumps, {found} found, {right} right place, "
                    + $"innocent at most {innocent:G3}"));
            }
        }

        System.IO.File.WriteAllLines("/tmp/h-verdict-survey.txt", lines);
    }
}
