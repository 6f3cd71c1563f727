using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Objective.Pictures;

/// <summary>
/// The theory as a page: the bound, the exact facts, the three toys, every relative's weight; each with what it assumes
/// and
/// what it does not show. Everything on the page is computed when it is written.
/// </summary>
public static class TheoryReport
{
    private static readonly int[] BanditSteps = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

    /// <summary>Writes the page to a file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="seeds">Seeds of S2, at least 1; ten take about six seconds.</param>
    public static void Save(string path, int seeds = 10) => AtomicFile.WriteText(path, ToHtml(seeds));

    /// <summary>Computes the page.</summary>
    /// <param name="seeds">Seeds of S2, at least 1.</param>
    /// <param name="steps">Updates of a run of S2; fewer only to try the page out.</param>
    /// <returns>The document.</returns>
    public static string ToHtml(int seeds = 10, int steps = RoutingNoiseSimulation.FullRun)
    {
        HtmlPage page = new("IcePop: theory and toys");
        page.Paragraph(
            "IcePop weights a token's policy gradient by k, the ratio of the training engine's to the inference "
            + "engine's "
            + "probability of that token, and drops the token when k leaves a band (0.5 … 5 as published). This page "
            + "runs the "
            + "statements that are made about it. A toy proves nothing about a 100 B model; each says what it does not "
            + "show.");
        AddBound(page);
        AddFacts(page);
        AddBandit(page);
        AddRoutingNoise(page, RoutingNoiseClaims.Evaluate(1, seeds, steps));
        AddCalibrated(page);
        AddWeights(page);
        return page.ToHtml();
    }

    private static string Number(double value, string format = "0.####") =>
        value.ToString(format, CultureInfo.InvariantCulture);

    private static void AddBound(HtmlPage page)
    {
        CompoundingBound bound = new(1.0, 0.02, 1.0, 0.5, 0.1);
        const double step = 0.1;
        page.Heading("The compounding theorem");
        page.Paragraph(
            "If the bias of the gradient pushes the engines apart in proportion to their distance δ = KL(infer ‖ "
            + "train) "
            + "(assumption A2, with constant c), if the rest of the gradient pulls back at most M, and if δ is smooth "
            + "(L) and "
            + "gradients are bounded (G), then one update of size μ gives δ' ≥ (1 + ημ)δ − κμ with η = c and "
            + "κ = M + (L/2)·μ̄·G²; from δ ≥ 2κ/η on, δ grows at least by the factor 1 + ημ/2 per update.");
        page.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"Here c = 1, M = 0.02, L = 1, G = 0.5, μ = μ̄ = 0.1: κ = {bound.Loss:0.####}, "
            + $"threshold {bound.Threshold:0.####}, fixed point {bound.FixedPoint:0.####}, "
            + $"doubling within {bound.DoublingTime(step):0.0} updates from the threshold on."));
        page.Picture(TheoryPictures.Compounding(bound, step, 40));
        page.Paragraph(
            "What it does not show: A2 is assumed, not proved. In the exact toy below the alignment divided by δ falls "
            + "like 1/δ, so "
            + "no constant c holds and growth is linear. That training must diverge does not follow. Below the fixed "
            + "point the bound "
            + "falls and says nothing. Source: Ring-1T report, arXiv 2510.18855v2, appendix B.");
    }

    private static void AddFacts(HtmlPage page)
    {
        double[] train = [0.60, 0.25, 0.10, 0.04, 0.01];
        double[] infer = [0.50, 0.30, 0.14, 0.005, 0.055];
        double[] values = [1, -1, 0.5, 2, -3];
        SmallFacts facts = new(train, infer, EngineWeights.Default);
        page.Heading("Exact facts, by enumeration");
        page.Paragraph(
            "True for any two distributions over a vocabulary; here p = (0.60, 0.25, 0.10, 0.04, 0.01) of the training "
            + "engine, "
            + "q = (0.50, 0.30, 0.14, 0.005, 0.055) of the inference engine, f = (1, −1, 0.5, 2, −3), band 0.5 … 5, "
            + "cap 2.");
        page.Table(
            ["statement", "#left", "#right"],
            [
                Row("E_q[k] = 1", facts.ExpectedRatio, 1),
                Row("E_q|k − 1| = 2·TV(p, q)", facts.ExpectedRatioDistance, 2 * facts.TotalVariation),
                Row(
                    "E_q[M(k)·f] = E_p[1[in band]·f]",
                    facts.SampledExpectation(TheoryOperator.IcePop, values),
                    facts.InBandExpectation(values)),
                Row(
                    "IcePop's bias = −E_p[1[outside]·f]",
                    facts.SampledExpectation(TheoryOperator.IcePop, values) - facts.OnPolicyExpectation(values),
                    facts.IcePopBias(values)),
                Row(
                    "bias of TIS = E_q[(min(k, C) − k)·f]",
                    facts.SampledExpectation(TheoryOperator.TruncatedImportanceSampling, values)
                        - facts.OnPolicyExpectation(values),
                    facts.TruncationBias(values)),
                Row("P_q(k ≥ β) ≤ 1/β", facts.MassAbove, 1 / facts.Weights.Beta),
                Row("P_p(k < α) ≤ α", facts.MassBelow, facts.Weights.Alpha),
                Row("E_q[min(k, C)] ≤ 1", facts.TruncatedMass, 1),
            ]);
        page.Paragraph("What they do not show: anything about variance, about whole responses, or about training.");

        static IReadOnlyList<string> Row(string text, double left, double right) => [text, Number(left), Number(right)];
    }

    private static void AddBandit(HtmlPage page)
    {
        (TheoryOperator Operator, IReadOnlyList<BanditPoint> Points)[] runs =
            [.. TheoryPictures.BanditOperators.Select(kind => (kind, StaleEngineBandit.Run(kind, BanditSteps)))];
        page.Heading("S1: the stale-engine bandit");
        page.Paragraph(
            "Eight actions, an inference engine that never moves, a policy that does, expectations instead of samples. "
            + "The engines "
            + "differ because one is stale. After 2000 updates:");
        page.Table(
            ["operator", "#KL(q‖p)", "#max |log k|", "#mass outside the band", "#reward", "#alignment / δ"],
            runs.Select(run => (IReadOnlyList<string>)
            [
                EngineWeights.Name(run.Operator),
                Number(run.Points[^1].Divergence, "0.00"),
                Number(run.Points[^1].LargestLogRatio, "0.0"),
                Number(run.Points[^1].MaskedMass, "0.000"),
                Number(run.Points[^1].TrainReward, "0.000"),
                Number(run.Points[^1].AlignmentOverDivergence ?? double.NaN, "0.0000"),
            ]));
        page.Picture(TheoryPictures.BanditDivergence(runs));
        page.Paragraph(
            "What it shows: without correction the gap grows linearly and far; every correction slows it to roughly a "
            + "logarithm. "
            + "What it does not show: IcePop below TIS. Here TIS ends lower; and the binary mask, lowest of all, earns "
            + "the least.");
    }

    private static void AddRoutingNoise(HtmlPage page, RoutingNoiseClaims claims)
    {
        page.Heading("S2: a mini mixture-of-experts with routing noise");
        page.Paragraph(
            "Ten prompts of 24 positions, four experts, sixteen tokens; the inference router carries a fixed noise "
            + "that grows with the "
            + "position, so that now and then another expert answers. The first five claims are tested, the others are "
            + "tendencies.");
        page.Picture(TheoryPictures.RoutingClaims(claims.Claims));
        page.Picture(TheoryPictures.RoutingDivergence(claims));
        page.Table(
            ["mean over the seeds", "#KL", "#max |Δ|", "#entropy", "#entropy, masked", "#masked share", "#reward"],
            RoutingNoiseClaims.Operators.Select(kind => (IReadOnlyList<string>)
            [
                EngineWeights.Name(kind),
                Number(claims.MeanAtEnd(kind, point => point.Divergence)),
                Number(claims.MeanAtEnd(kind, point => point.LargestLogRatio), "0.00"),
                Number(claims.MeanAtEnd(kind, point => point.Entropy), "0.000"),
                Number(claims.MeanAtEnd(kind, point => point.MaskedEntropy), "0.000"),
                Number(claims.MeanAtEnd(kind, point => point.MaskedShare)),
                Number(claims.MeanAtEnd(kind, point => point.Reward), "0.000"),
            ]));
        page.Picture(TheoryPictures.GapByPosition(
            "S2: gap by position before training, mean over the seeds", GapByPosition(claims)));
        page.Paragraph(
            "What it does not show: the collapse of the reward that was seen with GRPO; a GRPO that is worse than "
            + "plain importance "
            + "sampling (here it is better); a difference between IcePop and TIS that survives more seeds.");
    }

    private static IReadOnlyList<(double Position, double Gap)> GapByPosition(RoutingNoiseClaims claims) =>
    [
        .. Enumerable.Range(0, RoutingNoiseSimulation.Positions).Select(position => (
            position + 1.0,
            claims.Runs.Average(run => run[TheoryOperator.IcePop].GapByPosition[position]))),
    ];

    private static void AddCalibrated(HtmlPage page)
    {
        page.Heading("S3: mismatch of a realistic size");
        page.Paragraph(
            "Δ is N(0, σ²), and with a small probability p N(0, τ²). Both reported magnitudes, mean |Δ| about 0.027 "
            + "and one to two per "
            + "mille outside [0.5, 5], come out at once. Per mille outside, in closed form:");
        page.Table(
            ["#σ", "#p", "#τ", "#mean |Δ|", "#‰ outside [0.5, 5]", "#‰ outside [0.5, 2]", "#‰ outside [0.4, 5]"],
            CalibratedMismatch.Published.Select(mismatch => (IReadOnlyList<string>)
            [
                Number(mismatch.Noise),
                Number(mismatch.OutlierShare),
                Number(mismatch.OutlierNoise),
                Number(mismatch.MeanAbsoluteLogRatio),
                Number(1000 * mismatch.ShareOutside(0.5, 5), "0.00"),
                Number(1000 * mismatch.ShareOutside(0.5, 2), "0.00"),
                Number(1000 * mismatch.ShareOutside(0.4, 5), "0.00"),
            ]));
        page.Paragraph(
            "What it does not show: why there is a gap, that it grows, or that E_q[k] = 1, which fails by design.");
    }

    private static void AddWeights(HtmlPage page)
    {
        page.Heading("Relatives: weight against log-ratio");
        page.Picture(WeightCurves.Overview());
        foreach (WeightCurve curve in WeightCurves.All)
        {
            page.SubHeading(curve.Name);
            page.Picture(curve.ToSvg());
            page.Paragraph(curve.Note);
        }
    }
}
