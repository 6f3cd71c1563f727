using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Pictures;

/// <summary>One axis: its range, where a number lies on it, and the numbers written beside it.</summary>
internal sealed class ChartAxis
{
    private const double Largest = 1e300;
    private const double Smallest = 1e-300;

    private readonly double low;
    private readonly double high;
    private readonly AxisScale scale;

    private ChartAxis(double low, double high, AxisScale scale, IReadOnlyList<double> ticks)
    {
        this.low = low;
        this.high = high;
        this.scale = scale;
        Ticks = ticks;
    }

    public IReadOnlyList<double> Ticks { get; }

    /// <summary>A range around the numbers: to the next tick where it comes from the data, as given
    /// otherwise.</summary>
    public static ChartAxis Fit(IEnumerable<double> numbers, AxisScale scale, (double Low, double High)? given)
    {
        double[] all = [.. numbers];
        double low = given?.Low ?? (all.Length == 0 ? 0 : all.Min());
        double high = given?.High ?? (all.Length == 0 ? 1 : all.Max());
        return scale == AxisScale.Logarithmic ? Logarithmic(low, high) : Linear(low, high, scale, given is not null);
    }

    /// <summary>0 at the axis' start, 1 at its end; outside of both for a number outside of the range.</summary>
    public double Place(double value)
    {
        double place = scale != AxisScale.Logarithmic
            ? (value - low) / (high - low)
            : (Math.Log(value) - Math.Log(low)) / (Math.Log(high) - Math.Log(low));

        // Far outside is as good as further outside, and an SVG viewer need not accept 1e300.
        return Math.Clamp(place, -2, 3);
    }

    public static string TickText(double tick)
    {
        double size = Math.Abs(tick);
        return size != 0 && (size >= 1e5 || size < 1e-3)
            ? tick.ToString("0.##e+0", CultureInfo.InvariantCulture)
            : Math.Round(tick, 6).ToString("0.######", CultureInfo.InvariantCulture);
    }

    private static ChartAxis Linear(double low, double high, AxisScale scale, bool isGiven)
    {
        // Differences of such numbers must not overflow; nobody reads such an axis.
        low = Math.Clamp(low, -Largest, Largest);
        high = Math.Clamp(high, -Largest, Largest);
        double size = Math.Max(Math.Abs(low), Math.Abs(high));
        if (size < Smallest)
        {
            (low, high) = (0, 1);
        }
        else if (high - low < 1e-9 * size)
        {
            // One number, or neighbours between which no step of a tick can be taken: a range around them.
            (low, high) = (low - (size / 2), high + (size / 2));
        }

        double step = NiceStep((high - low) / 6);
        step = scale == AxisScale.Whole ? Math.Max(1, step) : step;
        if (scale == AxisScale.Whole)
        {
            (low, high) = (low - 0.5, high + 0.5);
        }
        else if (!isGiven)
        {
            low = Math.Floor(low / step) * step;
            high = Math.Ceiling(high / step) * step;
        }

        List<double> ticks = [];
        double first = Math.Ceiling((low / step) - 1e-9);
        for (int count = 0; first + count <= (high / step) + 1e-9; count++)
        {
            ticks.Add((first + count) * step);
        }

        return new(low, high, scale, ticks);
    }

    private static ChartAxis Logarithmic(double low, double high)
    {
        if (!(low > 0))
        {
            (low, high) = (1, 10); // nothing above zero is drawn
        }

        int first = (int)Math.Floor(Math.Log10(low) + 1e-9);
        int last = Math.Max((int)Math.Ceiling(Math.Log10(high) - 1e-9), first + 1);
        (first, last) = (Math.Clamp(first, -300, 299), Math.Clamp(last, -299, 300));
        int stride = Math.Max(1, (last - first + 7) / 8);
        List<double> ticks = [];
        for (int power = first; power <= last; power += stride)
        {
            ticks.Add(Math.Pow(10, power));
        }

        return new(Math.Pow(10, first), Math.Pow(10, last), AxisScale.Logarithmic, ticks);
    }

    // 1, 2 or 5 times a power of ten.
    private static double NiceStep(double rough)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double lead = rough / power;
        return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
    }
}
