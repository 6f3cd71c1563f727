// Red here means that the fake reports are wrong; no product defect.
using System;
using System.Collections.Generic;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Tests.Cli;

/// <summary>Reports made by hand.</summary>
internal static class FakeReports
{
    public static VerifyReport Passing() => Report(PassedRun("tiny-f32", "vector512", VerifyMode.Isolated));

    public static VerifyReport Empty() => Report();

    public static VerifyReport Report(params IReadOnlyList<CaseResult> runs) =>
        new(runs, TimeSpan.FromSeconds(218.4), 1_234_567_890, 2);

    /// <summary>One run of every kind a report can hold.</summary>
    public static VerifyReport Everything() => Report(
        PassedRun("tiny-f32", "vector512", VerifyMode.Isolated),
        PassedRun("tiny-f32", "vector512", VerifyMode.Free),
        FailedRun(),
        PassedRun("flash-layers-f32", "scalar", VerifyMode.Free) with
        {
            Elapsed = TimeSpan.FromSeconds(187.2),
            WeightShare = 0.71,
            ModelShare = 0.22,
            CompareShare = 0.04,
        },
        NotCheckedRun());

    public static CaseResult PassedRun(string name, string engine, VerifyMode mode) => new()
    {
        Case = name,
        Folder = $"/golden/{name}",
        Kind = "model",
        Engine = engine,
        Mode = mode,
        Precision = "float32",
        Taps =
        [
            Tap("model.layers.0.attention.query_key_value.output", "LinearProjection", 0.41),
            Tap("model.layers.12.mlp.shared_experts.output", "SwiGlu", 0.93),
        ],
        Routing = [Router("model.layers.1.mlp.gate")],
        NotCompared = [],
        Elapsed = TimeSpan.FromSeconds(0.34),
    };

    public static CaseResult FailedRun() => PassedRun("tiny-padded-f32", "vector512", VerifyMode.Isolated) with
    {
        Taps =
        [
            Tap("model.layers.0.input_layernorm.output", "RmsNorm", 0.2),
            Tap("model.layers.1.post_attention_layernorm.output", "RmsNorm", 37.5) with { Path = ["Add", "RmsNorm"] },
            Tap("model.layers.3.mlp.shared_experts.output", "GroupLimitedTopKRouter", double.NaN) with
            {
                MaxAbsolute = double.NaN,
                MaxRelative = double.PositiveInfinity,
                MaxUlps = long.MaxValue,
                MaxUnits = null,
                UnitsBudget = null,
                Worst = new WorstElement("[0, 3, 17]", 3, double.NaN, -0.123456789),
                Note = "ours is NaN at 5 places where the golden value is finite",
            },
            Tap("model.layers.4.enorm.output", "RmsNorm", 0) with
            {
                Compared = 0,
                Verdict = Verdict.NotChecked,
                Worst = null,
                Note = "behind a near tie",
                BehindNearTie = 128,
            },
        ],
        Routing =
        [
            Router("model.layers.1.mlp.gate") with { SameExperts = 15, NearTies = 1, Note = "token 7: 3 for 11" },
            Router("model.layers.2.mlp.gate") with { SameExperts = 14, Wrong = 2, Verdict = Verdict.Failed },
        ],
        NotCompared = ["model.rotary_emb.cos", "model.rotary_emb.sin", "grad.model.layers.0.mlp.down_proj.weight"],
        Notes = ["rotary: default, theta 10000, 8 of 16 dimensions"],
        FirstFailure =
            "RmsNorm model.layers.1.post_attention_layernorm.output [0, 3, 17]: ours 0.25, golden 0.5, 37.5 budgets",
    };

    public static CaseResult NotCheckedRun() => PassedRun("tiny-grad-f32", "vector512", VerifyMode.Free) with
    {
        Taps = [],
        Routing = [],
        NotCheckedReason = "training cases are not supported by this version",
    };

    public static TapResult Tap(string name, string maker, double overBudget) => new()
    {
        Tap = name,
        Operator = maker,
        Path = [maker],
        Compared = 12_288,
        MaxAbsolute = 4.76837158e-7,
        MaxRelative = 1.23e-7,
        L2Relative = 8.9e-8,
        MaxUlps = 12,
        MaxUnits = 1.7,
        MaxRelativeBudget = 3e-7,
        L2Budget = 2.5e-7,
        UnitsBudget = 66,
        OverBudget = overBudget,
        Worst = new WorstElement("[0, 3, 17]", 3, -0.123456781, -0.123456789),
        Verdict = overBudget <= 1 ? Verdict.Passed : Verdict.Failed,
    };

    public static RoutingResult Router(string gate) => new()
    {
        Gate = gate,
        Tokens = 16,
        SameExperts = 16,
        SameOrder = 16,
        SameGroups = 16,
        NearTies = 0,
        Wrong = 0,
        SmallestMargin = 1.8e-3,
        ScoreError = 2.1e-7,
        Verdict = Verdict.Passed,
    };
}
