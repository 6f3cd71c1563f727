using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Benchmarks;

/// <summary>How a cost grows with a size.</summary>
/// <param name="Cost">What is paid, e.g. <c>attention, prefill</c>.</param>
/// <param name="Against">What grows, e.g. <c>tokens</c>.</param>
/// <param name="IsMemory">Whether the cost is bytes; seconds otherwise.</param>
/// <param name="ExpectedExponent">The exponent that the algorithm has for large sizes.</param>
/// <param name="Points">Size and cost, by size.</param>
public sealed record GrowthCurve(
    string Cost,
    string Against,
    bool IsMemory,
    double ExpectedExponent,
    IReadOnlyList<(double Size, double Cost)> Points)
{
    /// <summary>Why there are no points; null where there are.</summary>
    public string? Refusal { get; init; }

    /// <summary>The slope of the straight line that fits the logarithms best.</summary>
    public double FittedExponent
    {
        get
        {
            (double x, double y) = Middle;
            double products = Points.Sum(point => (Math.Log(point.Size) - x) * (Math.Log(point.Cost) - y));
            return products / Points.Sum(point => Math.Pow(Math.Log(point.Size) - x, 2));
        }
    }

    /// <summary>The mean of the logarithms; every fitted line goes through it.</summary>
    internal (double X, double Y) Middle =>
        (Points.Average(point => Math.Log(point.Size)), Points.Average(point => Math.Log(point.Cost)));
}

/// <summary>Several curves.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="ThreadCount">Worker threads.</param>
/// <param name="Curves">The curves.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record GrowthReport(
    MachineDescription Machine, int ThreadCount, IReadOnlyList<GrowthCurve> Curves, TimeSpan Elapsed);
