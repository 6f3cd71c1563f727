// Shared by the tests of distributions. Red here: the test statistic itself is wrong.
using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

/// <summary>Pearson's test at the level 10⁻⁴.</summary>
public sealed class ChiSquare
{
    // The 1 − 10⁻⁴ quantile of the standard normal distribution.
    private const double NormalQuantile = 3.719016;

    /// <summary>Σ (observed − expected)² / expected; cells that expect less than 5 are taken together.</summary>
    public static double Statistic(IReadOnlyList<int> observed, IReadOnlyList<double> expected) =>
        Pooled(observed, expected).Sum(cell => Math.Pow(cell.Observed - cell.Expected, 2) / cell.Expected);

    public static int DegreesOfFreedom(IReadOnlyList<double> expected) =>
        Pooled([.. expected.Select(_ => 0)], expected).Count - 1;

    /// <summary>The statistic that is passed with probability 10⁻⁴ (Wilson and Hilferty, 1931).</summary>
    public static double Critical(int degreesOfFreedom)
    {
        double part = 2.0 / (9 * degreesOfFreedom);
        return degreesOfFreedom * Math.Pow(1 - part + (NormalQuantile * Math.Sqrt(part)), 3);
    }

    [Fact]
    public void The_critical_values_are_those_of_the_tables()
    {
        // The approximation errs to the lenient side, by a hundredth at ten degrees.
        Assert.InRange(Critical(10), 35.564, 36.0);
        Assert.InRange(Critical(100), 161.319, 161.5);
    }

    private static List<(double Observed, double Expected)> Pooled(
        IReadOnlyList<int> observed, IReadOnlyList<double> expected)
    {
        List<(double Observed, double Expected)> cells = [];
        (double Observed, double Expected) rest = default;
        for (int cell = 0; cell < expected.Count; cell++)
        {
            if (expected[cell] >= 5)
            {
                cells.Add((observed[cell], expected[cell]));
            }
            else
            {
                rest = (rest.Observed + observed[cell], rest.Expected + expected[cell]);
            }
        }

        if (rest.Observed > 0 || rest.Expected > 0)
        {
            cells.Add((rest.Observed, Math.Max(rest.Expected, 1e-3)));
        }

        return cells;
    }
}
