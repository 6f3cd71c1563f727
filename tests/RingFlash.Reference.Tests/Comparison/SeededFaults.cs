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
    private const int Seeds = 4;

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

    /// <summary>Below the roundings of bfloat16 in every tap that a dump holds.</summary>
    private static readonly string[] BelowBFloat16 = ["norm epsilon 1e-5", "router logits rounded to bfloat16"];

    /// <summary>Weaker than these roundings where only whole layers, or only the logits, are there.</summary>
    private static readonly string[] WeakInLayers =
        ["expert bias in the weights", "one element of the context wrong"];

    public static MatrixTheoryData<bool, string> Dumps => new([false, true], SeededDump.TapSets.Keys);

    /// <summary>Every mistake is found at its layer, in its block, with its operator among those named.</summary>
    [Theory]
    [MemberData(nameof(Dumps))]
    public void AreFoundAndPlaced(bool isBFloat16, string tapSet)
    {
        int dumps = 0, found = 0;
        List<string> missed = [], misplaced = [];
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            foreach ((string mistake, string block, string culprit) in Mistakes)
            {
                int layer = block == "attention" ? (int)(seed % 3) : 1 + (int)(seed % 2);
                using SeededDump dump = SeededDump.Of(seed, isBFloat16, tapSet, mistake, layer);
                ComparisonReport report = dump.Compare();
                dumps++;
                if (report.FirstFault is not { } fault)
                {
                    missed.Add($"{mistake} (seed {seed})");
                    continue;
                }

                found++;
                bool isSharp = tapSet is "boundaries" or "blocks" && (tapSet == "boundaries" || block == "attention");
                bool fits = fault.Operators.Contains(culprit)
                    && fault.Blocks.Contains(block)
                    && (tapSet == "logits" || fault.Layer == layer)
                    && (!isSharp || fault.Blocks.All(name => name == block || MayShare(name)));
                if (!fits)
                {
                    misplaced.Add($"{mistake} (seed {seed}, layer {layer}): {report.Headline}");
                }
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{dumps} dumps, {found} found, {misplaced.Count} misplaced; missed: {string.Join(", ", missed)}");
        Assert.True(misplaced.Count == 0, string.Join('\n', misplaced));
        string[] mayBeMissed = !isBFloat16 ? []
            : tapSet == "boundaries" ? ["norm epsilon 1e-5"]
            : tapSet == "blocks" ? BelowBFloat16
            : tapSet == "layers" ? [.. BelowBFloat16, .. WeakInLayers]
            : [.. Mistakes.Select(entry => entry.Mistake)];
        Assert.All(missed, line => Assert.Contains(
            mayBeMissed, name => line.StartsWith(name, StringComparison.Ordinal)));
        Assert.True(found > dumps / 2);
    }

    // What no dump separates: the embedding where it is not dumped, residual and norm between attention and router.
    private static bool MayShare(string block) => block is "embedding" or "residual" or "router and experts";
}
