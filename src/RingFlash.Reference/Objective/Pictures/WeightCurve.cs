using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Objective.Pictures;

/// <summary>One line of a relative's picture.</summary>
/// <param name="Name">What distinguishes it from the picture's other lines; empty when it is alone.</param>
/// <param name="Weight">The factor as a function of the picture's horizontal axis; NaN where it is not defined.</param>
/// <param name="Breaks">Where the factor jumps, ascending.</param>
public sealed record WeightLine(string Name, Func<double, double> Weight, IReadOnlyList<double> Breaks)
{
    private const int Samples = 240;

    // The jump itself is not drawn: which side the end belongs to is said in words, a picture cannot show it.
    private const double BesideBreak = 1e-9;

    /// <summary>The line's points, interrupted at its jumps.</summary>
    /// <param name="name">The legend's text.</param>
    /// <param name="low">The first abscissa.</param>
    /// <param name="high">The last one.</param>
    /// <returns>The line.</returns>
    public ChartLine ToLine(string name, double low, double high)
    {
        double[] ends = [low, .. Breaks.Where(end => end > low && end < high), high];
        List<(double X, double Y)> points = [];
        for (int segment = 0; segment + 1 < ends.Length; segment++)
        {
            double begin = ends[segment] + (segment == 0 ? 0 : BesideBreak);
            double end = ends[segment + 1] - (segment + 2 == ends.Length ? 0 : BesideBreak);
            int samples = Math.Max(2, (int)(Samples * (end - begin) / (high - low)));
            for (int sample = 0; sample <= samples; sample++)
            {
                double x = begin + ((end - begin) * sample / samples);
                points.Add((x, Weight(x)));
            }

            points.Add((end, double.NaN));
        }

        return new(name, points);
    }
}

/// <summary>How one relative of IcePop weights a token, as a picture.</summary>
/// <param name="Name">The relative.</param>
/// <param name="Formula">The factor.</param>
/// <param name="XLabel">What the horizontal axis holds; not every relative looks at the engines' ratio of one
/// token.</param>
/// <param name="Low">The first abscissa.</param>
/// <param name="High">The last one.</param>
/// <param name="Note">What the picture does not show by itself.</param>
/// <param name="Lines">One line, or one per sign of the advantage or per probability.</param>
public sealed record WeightCurve(
    string Name,
    string Formula,
    string XLabel,
    double Low,
    double High,
    string Note,
    IReadOnlyList<WeightLine> Lines)
{
    /// <summary>Draws the relative alone.</summary>
    /// <returns>The picture.</returns>
    public string ToSvg() => new SvgChart
    {
        Title = $"{Name}: {Formula}",
        XLabel = XLabel,
        YLabel = "factor on the token",
        Lines = [.. Lines.Select(line => line.ToLine(line.Name, Low, High))],
    }.ToSvg();
}
