using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Objective.Pictures;

/// <summary>Pictures of the theory and of the toys; each computes what it shows.</summary>
public static class TheoryPictures
{
    /// <summary>The operators of S1, in the order of its table.</summary>
    public static IReadOnlyList<TheoryOperator> BanditOperators { get; } = Enum.GetValues<TheoryOperator>();

    /// <summary>The compounding bound from above the threshold, from the fixed point, and from below it.</summary>
    /// <param name="bound">The bound.</param>
    /// <param name="step">μ.</param>
    /// <param name="steps">How many.</param>
    /// <returns>The picture.</returns>
    public static string Compounding(CompoundingBound bound, double step, int steps)
    {
        ArgumentNullException.ThrowIfNull(bound);
        return new SvgChart
        {
            Title = "The compounding bound from three starts",
            XLabel = "updates",
            YLabel = "the bound says: δ is at least",
            Lines =
            [
                new("δ0 at the threshold 2κ/η", Numbered(bound.Sequence(bound.Threshold, step, steps))),
                new("δ0 at the fixed point κ/η", Numbered(bound.Sequence(bound.FixedPoint, step, steps))),
                new("δ0 at half the fixed point", Numbered(bound.Sequence(bound.FixedPoint / 2, step, steps))),
            ],
        }.ToSvg();
    }

    /// <summary>S1: KL(infer ‖ train) against updates, both logarithmic.</summary>
    /// <param name="trajectories">Per operator its points.</param>
    /// <returns>The picture.</returns>
    public static string BanditDivergence(
        IReadOnlyList<(TheoryOperator Operator, IReadOnlyList<BanditPoint> Points)> trajectories) => new SvgChart
        {
            Title = "S1: how far a frozen inference engine is left behind",
            XLabel = "updates",
            YLabel = "KL(infer ‖ train), nats",
            XScale = AxisScale.Logarithmic,
            YScale = AxisScale.Logarithmic,
            Lines =
            [
                .. trajectories.Select(trajectory => new ChartLine(
                    EngineWeights.Name(trajectory.Operator),
                    [.. trajectory.Points.Select(point => ((double)point.Step, point.Divergence))])),
            ],
        }.ToSvg();

    /// <summary>S2: for how many seeds each claim held, with a mark at the share that held at design time.</summary>
    /// <param name="claims">The claims.</param>
    /// <returns>The picture.</returns>
    public static string RoutingClaims(IReadOnlyList<RoutingNoiseClaim> claims) => new SvgBars
    {
        Title = "S2: share of seeds for which a claim held (mark: at design time)",
        FullLength = 1,
        Bars =
        [
            .. claims.Select(claim => new ChartBar(
                claim.Text,
                (double)claim.Held / claim.Seeds,
                string.Create(CultureInfo.InvariantCulture, $"{claim.Held} of {claim.Seeds}"))
            {
                Colour = (int)claim.Test,
                Mark = claim.DesignHeld / 10.0,
            }),
        ],
    }.ToSvg();

    /// <summary>S2: KL(infer ‖ train) against updates, the mean over the seeds.</summary>
    /// <param name="claims">The runs.</param>
    /// <returns>The picture.</returns>
    public static string RoutingDivergence(RoutingNoiseClaims claims) => new SvgChart
    {
        Title = "S2: engine mismatch under routing noise, mean over the seeds",
        XLabel = "updates",
        YLabel = "KL(infer ‖ train), nats",
        Lines =
        [
            .. RoutingNoiseClaims.Operators.Select(kind => new ChartLine(
                EngineWeights.Name(kind),
                [
                    .. Enumerable.Range(0, claims.Runs[0][kind].Points.Count).Select(index => (
                        (double)claims.Runs[0][kind].Points[index].Step,
                        claims.Runs.Average(run => run[kind].Points[index].Divergence))),
                ])),
        ],
    }.ToSvg();

    /// <summary>Mean |Δ| against the position in the response.</summary>
    /// <param name="title">The title.</param>
    /// <param name="gaps">The centre of each bin of positions, counted from 1, and the mean |Δ| of its tokens.</param>
    /// <param name="threshold">A horizontal line, e.g. the 5 % criterion; none when null.</param>
    /// <returns>The picture.</returns>
    public static string GapByPosition(
        string title, IReadOnlyList<(double Position, double Gap)> gaps, double? threshold = null)
    {
        ArgumentNullException.ThrowIfNull(gaps);
        List<ChartLine> lines = [new("mean |Δ|", gaps) { HasDots = gaps.Count <= 64 }];
        if (threshold is double level && gaps.Count > 0)
        {
            lines.Add(new(
                string.Create(CultureInfo.InvariantCulture, $"{level} nats"),
                [(gaps[0].Position, level), (gaps[^1].Position, level)])
            {
                IsDashed = true,
            });
        }

        return new SvgChart
        {
            Title = title,
            XLabel = "position in the response",
            YLabel = "mean |log π_train − log π_infer|, nats",
            Lines = lines,
        }.ToSvg();
    }

    private static IReadOnlyList<(double X, double Y)> Numbered(IEnumerable<double> values) =>
        [.. values.Select((value, index) => ((double)index, value))];
}
