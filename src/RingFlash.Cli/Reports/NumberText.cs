using System;
using System.Globalization;

namespace RingFlash.Cli.Reports;

/// <summary>Numbers as people read them; the same on every machine.</summary>
internal static class NumberText
{
    /// <summary>A count with thousands separated.</summary>
    /// <param name="value">The count.</param>
    /// <returns>E.g. <c>12,345</c>.</returns>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>An error: three digits.</summary>
    /// <param name="value">The error.</param>
    /// <returns>E.g. <c>1.23e-06</c>; <c>0</c> for none.</returns>
    public static string Error(double value) => value switch
    {
        0 => "0",
        _ when !double.IsFinite(value) => NonFinite(value),
        _ => value.ToString("0.00e-00", CultureInfo.InvariantCulture),
    };

    /// <summary>A multiple of a budget or of a unit.</summary>
    /// <param name="value">The multiple.</param>
    /// <returns>E.g. <c>0.41</c>, <c>12.3</c>, <c>4.56e+07</c>.</returns>
    public static string Multiple(double value) => Math.Abs(value) switch
    {
        double.NaN or double.PositiveInfinity => NonFinite(value),
        >= 9999.5 => Error(value),
        >= 99.95 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 9.995 => value.ToString("0.0", CultureInfo.InvariantCulture),
        0 => "0",
        < 0.005 => "<0.01",
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    /// <summary>A distance in ulps.</summary>
    /// <param name="value">The distance.</param>
    /// <returns>E.g. <c>17</c>, <c>1.20e+09</c>.</returns>
    public static string Ulps(long value) =>
        value < 1_000_000 ? value.ToString(CultureInfo.InvariantCulture) : Error(value);

    /// <summary>A value that was compared, with enough digits to tell two neighbours of float32 apart.</summary>
    /// <param name="value">The value.</param>
    /// <returns>E.g. <c>-0.123456789</c>.</returns>
    public static string Value(double value) =>
        double.IsFinite(value) ? value.ToString("G9", CultureInfo.InvariantCulture) : NonFinite(value);

    /// <summary>A duration.</summary>
    /// <param name="value">The duration.</param>
    /// <returns>E.g. <c>0.04 s</c>, <c>3m25s</c>, <c>1h02m</c>.</returns>
    public static string Time(TimeSpan value) => value.TotalSeconds switch
    {
        < 99.5 => string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds:0.00} s"),
        < 3599.5 => Minutes((int)Math.Round(value.TotalSeconds)),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)value.TotalHours}h{value.Minutes:00}m"),
    };

    private static string Minutes(int seconds) =>
        string.Create(CultureInfo.InvariantCulture, $"{seconds / 60}m{seconds % 60:00}s");

    /// <summary>A share in percent.</summary>
    /// <param name="value">0 … 1.</param>
    /// <returns>E.g. <c>71 %</c>.</returns>
    public static string Share(double value) => string.Create(CultureInfo.InvariantCulture, $"{100 * value:0} %");

    /// <summary>An amount of memory.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <returns>E.g. <c>412 MiB</c>.</returns>
    public static string Memory(long bytes) => bytes < 10L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0} MiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):0.0} GiB");

    /// <summary>NaN and the infinities in the words that JSON readers expect.</summary>
    /// <param name="value">A value that is not finite.</param>
    /// <returns><c>NaN</c>, <c>Infinity</c> or <c>-Infinity</c>.</returns>
    public static string NonFinite(double value) =>
        double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}
