using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Objective.Pictures;

/// <summary>The relatives of IcePop side by side: what each multiplies a token's surrogate by (spec, section
/// 1.13).</summary>
/// <remarks>
/// Token-wise operators are functions of Δ = log π_train − log π_infer. Response-wise ones are drawn for a response of
/// one
/// token, or over the statistic that they look at; GSPO and CISPO look at θ against θ_old and not at the engines at
/// all; DPPO,
/// IPO and KPop look at probabilities, so their picture has a line per inference probability of the token.
/// </remarks>
public static class WeightCurves
{
    private const double Alpha = 0.5;
    private const double Beta = 5;
    private const double Cap = 2;
    private const string Delta = "Δ = log π_train − log π_infer of the token";

    private static readonly double Low = Math.Log(Alpha);
    private static readonly double High = Math.Log(Beta);
    private static readonly double[] Probabilities = [0.9, 0.5, 0.1];

    /// <summary>Every relative.</summary>
    public static IReadOnlyList<WeightCurve> All { get; } =
    [
        Token("GRPO", "1", "The engines' difference is ignored.", _ => 1),
        Token("importance sampling", "k", "Unbiased, with a heavy tail; the curve goes on to e^Δ.", Math.Exp),
        Token(
            "IcePop",
            "k·1[0.5 ≤ k ≤ 5]",
            "Zero outside; both ends are kept.",
            x => InBand(x) ? Math.Exp(x) : 0,
            Low,
            High),
        Token("TIS", "min(k, 2)", "No token loses its gradient.", x => Math.Min(Math.Exp(x), Cap)),
        Token(
            "two-sided clamp",
            "clamp(k, 0.5, 2)",
            "A token with a low ratio is raised to the lower bound.",
            x => Math.Clamp(Math.Exp(x), Alpha, Cap)),
        Token(
            "MIS, token",
            "k·1[k ≤ 2]",
            "Upper bound only; with both bounds it is IcePop.",
            x => x <= Math.Log(Cap) ? Math.Exp(x) : 0,
            Math.Log(Cap)),
        Single(
            "MIS, sequence",
            "K·1[K ≤ 3], K = Π k",
            "ΣΔ over the response",
            "One factor for all tokens of a response. A drift of 0.012 per token exceeds the cap within 100 tokens.",
            new WeightLine(string.Empty, x => x <= Math.Log(3) ? Math.Exp(x) : 0, [Math.Log(3)])),
        new(
            "geometric mask",
            "k·1[0.999 ≤ exp(mean Δ) ≤ 1.002]",
            "mean Δ of the response; a token with that Δ",
            -0.005,
            0.005,
            "Per response. Repeating a response changes nothing, and a token far outside can hide in a long response.",
            [
                new(
                    string.Empty,
                    x => x >= Math.Log(0.999) && x <= Math.Log(1.002) ? Math.Exp(x) : 0,
                    [Math.Log(0.999), Math.Log(1.002)]),
            ]),
        Single(
            "veto",
            "1[every k of the response in the band]",
            "Δ of the response's worst token",
            "The factor of the response's other tokens, whose own k is 1 here.",
            new WeightLine(string.Empty, x => InBand(x) ? 1 : 0, [Low, High])),
        Token(
            "binary mask", "1[0.5 ≤ k ≤ 5]", "Not IcePop: the factor k is missing.", x => InBand(x) ? 1 : 0, Low, High),
        Single(
            "GSPO",
            "s·1[not clipped], s = (Π r)^(1/|y|)",
            "mean of log r over the response, r = θ/θ_old",
            "Looks at θ against θ_old, not at the engines. Drawn with width 0.2; its authors use far narrower ones.",
            new("Â > 0", x => Math.Exp(x) <= 1.2 ? Math.Exp(x) : 0, [Math.Log(1.2)]),
            new("Â < 0", x => Math.Exp(x) >= 0.8 ? Math.Exp(x) : 0, [Math.Log(0.8)])),
        Single(
            "CISPO",
            "clip(r, 0.8, 1.2), held fixed",
            "log r of the token, r = θ/θ_old",
            "The factor of log π; no token loses its gradient. Drawn with width 0.2.",
            new WeightLine(string.Empty, x => Math.Clamp(Math.Exp(x), 0.8, 1.2), [])),
        Single(
            "DPPO",
            "1[|p − q| ≤ 0.2, or moved against the update]",
            Delta,
            "The mask alone, for a token with inference probability 0.5; the sign of the advantage decides the side.",
            PerProbability(0.5, p => p - 0.5 <= 0.2) with { Name = "Â > 0" },
            PerProbability(0.5, p => 0.5 - p <= 0.2) with { Name = "Â < 0" }),
        Single(
            "IPO",
            "1[|p − q| ≤ 0.1]",
            Delta,
            "The mask alone. A difference of probabilities: a rare token may move by any ratio.",
            [.. Probabilities.Select(q => PerProbability(q, p => Math.Abs(p - q) <= 0.1))]),
        Single(
            "KPop",
            "1[D(p‖q) ≤ 0.1 and D(q‖p) ≤ 0.1]",
            Delta,
            "The mask alone, at φ = 0.1; whether its authors multiply by k is not established.",
            [.. Probabilities.Select(q => PerProbability(q, p => SmallFacts.KPopKeeps(p, q, 0.1)))]),
    ];

    /// <summary>The token-wise relatives in one picture.</summary>
    /// <returns>The picture.</returns>
    public static string Overview() => new SvgChart
    {
        Title = "What a token's surrogate is multiplied by",
        XLabel = Delta,
        YLabel = "factor on the token",
        YRange = (0, 6),
        Lines =
        [
            // IcePop first and broad, so that it shows beneath the relatives that are equal to it in places.
            .. All.Where(curve => curve.XLabel == Delta && curve.Lines.Count == 1)
                .OrderBy(curve => curve.Name != "IcePop")
                .Select(curve => curve.Lines[0].ToLine($"{curve.Name}: {curve.Formula}", curve.Low, curve.High) with
                {
                    IsBroad = curve.Name == "IcePop",
                }),
        ],
    }.ToSvg();

    private static bool InBand(double x) => x >= Low && x <= High;

    private static WeightCurve Token(
        string name, string formula, string note, Func<double, double> weight, params double[] breaks) =>
        Single(name, formula, Delta, note, new WeightLine(string.Empty, weight, breaks));

    private static WeightCurve Single(
        string name, string formula, string xLabel, string note, params WeightLine[] lines) =>
        new(name, formula, xLabel, -2.5, 2.5, note, lines);

    // Where the mask flips has no closed form for KPop: found by walking, then by halving.
    private static WeightLine PerProbability(double infer, Func<double, bool> keeps)
    {
        // p = q·e^Δ, where that is a probability.
        double Weight(double x)
        {
            double train = infer * Math.Exp(x);
            return train > 1 ? double.NaN : keeps(train) ? 1 : 0;
        }

        List<double> breaks = [];
        for (int step = -2500; step < 2500; step++)
        {
            if (!Weight(step / 1000.0).Equals(Weight((step + 1) / 1000.0)))
            {
                double left = step / 1000.0, right = (step + 1) / 1000.0;
                for (int halving = 0; halving < 40; halving++)
                {
                    double middle = (left + right) / 2;
                    (left, right) = Weight(middle).Equals(Weight(left)) ? (middle, right) : (left, middle);
                }

                breaks.Add(right);
            }
        }

        return new($"π_infer = {infer.ToString(System.Globalization.CultureInfo.InvariantCulture)}", Weight, breaks);
    }
}
