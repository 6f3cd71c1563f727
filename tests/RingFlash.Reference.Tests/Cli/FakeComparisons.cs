// Red here means that the fake comparisons are wrong; no product defect.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Tests.Cli;

/// <summary>Comparisons made by hand: three layers of which layer 1 is wrong, five tokens.</summary>
internal static class FakeComparisons
{
    public const int Layers = 3;
    public const int Tokens = 5;

    public static ComparisonReport Empty() => new()
    {
        Reference = "synthetic:tiny@7",
        Candidate = "/dumps/empty",
        Precision = "float32",
        PrecisionReason = "nothing says otherwise",
        Outcome = ComparisonOutcome.NotChecked,
        Headline = "NOT CHECKED: the candidate holds nothing that can be compared",
    };

    /// <summary>One of everything that a report can hold; every text that may come from a dump is changed.</summary>
    public static ComparisonReport Everything(Func<string, string> text)
    {
        string[] taps = [.. Enumerable.Range(0, Layers).Select(layer => $"model.layers.{layer}.output")];
        TapFinding[] isolated =
        [
            .. taps.Select((tap, layer) => Finding(tap, layer, layer == 1 ? 40 : 0.4, text)),
            Finding("model.norm.output", null, double.NaN, text) with
            {
                Verdict = Verdict.NotChecked,
                TokenErrors = [.. Enumerable.Repeat(double.NaN, Tokens)],
                TokensLeftOut = Tokens,
                Worst = null,
                Note = text("lies behind a choice that the dump does not hold"),
            },
        ];
        return new ComparisonReport
        {
            Reference = text("golden/tiny-f32"),
            Candidate = text("/dumps/vllm"),
            Precision = "float32",
            PrecisionReason = text("stored in float32"),
            Outcome = ComparisonOutcome.Differs,
            Headline = text("DIFFERS: layer 1, residual: ResidualAdd"),
            FirstFault = new FirstFault(
                text("1/ResidualAdd/model.layers.1.output"),
                text(taps[1]),
                1,
                ["residual"],
                ["RmsNorm", "ResidualAdd"],
                [text("model.layers.0.output")],
                new WorstValue(text("[0, 3, 17]"), 3, 0.25, -0.123456789),
                40,
                text("scaled by 1.5"),
                OperatorPage.FileOf("ResidualAdd")),
            Isolated = isolated,
            Drift =
            [
                .. taps.Select((tap, layer) => new DriftPoint(
                    text(tap), layer, Distance(1e-6 * (layer + 1)), Band(2e-6), [.. Errors(1e-6)])),
            ],
            Variants = [text("float32, pairwise sums")],
            Routers = [Router(1, 5, 0, 0, text), Router(2, 3, 1, 1, text)],
            Logits = new LogitsFinding
            {
                Positions = Tokens,
                ReferenceToCandidate = 0.0123,
                CandidateToReference = 0.0234,
                NoiseReferenceToCandidate = 1e-12,
                SameBest = 0.6,
                NoiseSameBest = 1,
                BestFiveAgreement = 0.76,
                WorstRank = 321,
                LikelihoodDifference = 0.0045,
                Worst = [new LogitsPosition(3, 17, 0.031, 401, 402, 7)],
            },
            Preflight = [text("token ids: equal")],
            Missing = [text("model.layers.2.mlp.output")],
            NotDumped = [text("attention.dense.output")],
            Unmapped = [text("model.visual.patch_embed")],
            Doubles = [text("lm_head.output")],
            NotCompared = [text("model.layers.3.output: not part of the main model's pass")],
            Notes = [text("names read by the map vllm")],
            Elapsed = TimeSpan.FromSeconds(12.5),
        };
    }

    private static TapFinding Finding(string tap, int? layer, double over, Func<string, string> text) => new()
    {
        Id = text($"{layer?.ToString() ?? "-"}/ResidualAdd/{tap}"),
        Tap = text(tap),
        Layer = layer,
        Blocks = ["residual"],
        Operators = ["RmsNorm", "ResidualAdd"],
        Inputs = [text("input_ids")],
        Distance = Distance(over * 1e-7),
        Band = Band(1e-7),
        Budget = Band(3e-7),
        OverBudget = over,
        NearestVariant = text("float32, pairwise sums"),
        NearestL2Relative = 1e-8,
        TokenErrors = [.. Errors(over * 3e-7)],
        UlpHistogram = [1000, 200, 30, 4, 0, 1],
        Worst = new WorstValue(text("[0, 3, 17]"), 3, 0.25, -0.123456789),
        Recognised = text("scaled by 1.5"),
        Verdict = over <= 1 ? Verdict.Passed : Verdict.Failed,
        Note = text(string.Empty),
    };

    private static RouterFinding Router(int layer, int same, int near, int wrong, Func<string, string> text) => new()
    {
        Id = text($"{layer}/GroupLimitedTopK/model.layers.{layer}.mlp.gate.topk_idx"),
        Layer = layer,
        Tokens = Tokens,
        SameExperts = same,
        SameOrder = same,
        SameGroups = same,
        NearTies = near,
        Wrong = wrong,
        SmallestMargin = 1e-3,
        ScoreNoise = 1e-7,
        LargestWeightError = 2e-7,
        Note = text("token 3: experts [1 2], reference [1 3]"),
        Verdict = wrong > 0 ? Verdict.Failed : Verdict.Passed,
    };

    // The second token is left out, the third equal, the fifth not finite.
    private static IEnumerable<double> Errors(double size) => [size, double.NaN, 0, size / 2, double.PositiveInfinity];

    private static TapDistance Distance(double error) => new(320, error, error, error, 0.999999, 12);

    private static NoiseBand Band(double size) => new(size, size, size);
}
